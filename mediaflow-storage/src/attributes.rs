use mediaflow_core::Timestamp;
use mediaflow_core::spec::PutOptions;
use mediaflow_core::storage::Stat;
use object_store::{Attribute, AttributeValue, Attributes, ObjectMeta};

/// What is stored with an object, as the store names it.
pub(crate) fn attributes(options: &PutOptions) -> Attributes {
    let said = [
        (Attribute::ContentType, &options.content_type),
        (Attribute::CacheControl, &options.cache_control),
        (Attribute::ContentDisposition, &options.content_disposition),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    let own = options.metadata.iter();
    let own = own.map(|(name, value)| (Attribute::Metadata(name.clone().into()), value.clone()));
    said.chain(own).map(|(name, value)| (name, AttributeValue::from(value))).collect()
}

/// What is known of an object.
pub(crate) fn stat(meta: &ObjectMeta, attributes: &Attributes) -> Stat {
    let mut stat = Stat::new(meta.size);
    stat.version.clone_from(&meta.e_tag);
    stat.modified = u64::try_from(meta.last_modified.timestamp_millis())
        .ok()
        .filter(|millis| *millis > 0)
        .map(Timestamp::from_millis);
    let mut options = PutOptions::new();
    for (name, value) in attributes {
        let value = value.to_string();
        match name {
            Attribute::ContentType => options.content_type = Some(value),
            Attribute::CacheControl => options.cache_control = Some(value),
            Attribute::ContentDisposition => options.content_disposition = Some(value),
            Attribute::Metadata(name) => {
                options.metadata.insert(name.to_ascii_lowercase(), value);
            }
            _ => {}
        }
    }
    stat.options = options;
    stat
}
