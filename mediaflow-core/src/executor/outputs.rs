use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use sha2::Digest as _;

use super::execution::{Execution, repeated, stopping};
use super::finished::{Finished, StagedOutput};
use super::rest::{Rest, Slot};
use crate::checksum::checksums;
use crate::codes;
use crate::media::{Blob, Format, Media, MediaFile, MediaInfo, Medium};
use crate::plan::Estimate;
use crate::planner::PlannedOutput;
use crate::registry::Registry;
use crate::report::{OutputReport, OutputState};
use crate::spec::digest::hex;
use crate::spec::{Key, Location, Place, Precondition, PutOptions};
use crate::storage::Ticket;
use crate::{Error, Result, Retry};

/// What was found in the files of outputs, by their places.
pub(super) type Examined = HashMap<Arc<str>, Result<OutputReport>>;

impl Execution<'_> {
    /// Verifies the files that are there and takes their checksums, side by side where cores are free.
    pub(super) async fn examine_all(&self, outputs: &[PlannedOutput], rest: &Rest) -> Examined {
        let files = outputs.iter().filter_map(|planned| match rest.slots.get(&planned.from) {
            Some(Slot::Ready(Media::File(file))) => Some((planned, file)),
            _ => None,
        });
        let examined = files.map(|(planned, file)| async move {
            let expected = rest.expected.get(&planned.from).unwrap_or(&planned.expected);
            let examined = async {
                let location = planned.place.parse::<Place>()?.one()?;
                self.examine(&location.to_string(), expected, file).await
            };
            (Arc::clone(&planned.place), stopping(self.cx, examined).await)
        });
        join_all(examined).await.into_iter().collect()
    }

    /// Verifies a result, takes its checksums and stages it: one file, or each of several.
    pub(super) async fn keep(
        &self,
        planned: &PlannedOutput,
        media: Media,
        examined: Option<Result<OutputReport>>,
        rest: &Rest,
        done: &Finished,
    ) -> Result<(OutputReport, Vec<StagedOutput>)> {
        let kept = async {
            let place: Place = planned.place.parse()?;
            let Media::Bundle(bundle) = media else {
                let location = place.one()?;
                let file = media.into_file()?;
                let report = match examined {
                    Some(examined) => examined?,
                    None => self.examine(&location.to_string(), &planned.expected, &file).await?,
                };
                let (report, staged) = self.keep_file(planned, report, &location, &file).await?;
                return Ok((report, vec![staged]));
            };
            if !place.is_pattern() {
                let what = format!("there are {} files for one place", bundle.len());
                return Err(Error::input(codes::OUTPUT_PATTERN, what)
                    .help("name a pattern, for instance `public/page-{page:03}.png`"));
            }
            if bundle.is_empty() {
                return Err(Error::backend(codes::VERIFY_EMPTY, "a step gave no files")
                    .retrying(Retry::Never));
            }
            let (mut files, mut staged) = (Vec::new(), Vec::new());
            for ((name, file), number) in bundle.files().zip(1..) {
                self.cx.check()?;
                let location = place.file(name, number).map_err(|e| e.with("file", name))?;
                let at = location.to_string();
                let mut known = files.iter().chain(&done.outputs);
                if rest.has_place(&at)
                    || known.any(|known: &OutputReport| known.file_at(&at).is_some())
                {
                    return Err(Error::input(
                        codes::OUTPUT_PATTERN,
                        "a file would have the place of another",
                    )
                    .with("place", &at)
                    .help(
                        "let `{name}` or `{page}` stand in the pattern, and keep others elsewhere",
                    ));
                }
                let expected = MediaInfo::new(file.format().clone());
                let report = self.examine(&at, &expected, file).await?;
                let (report, kept) = self.keep_file(planned, report, &location, file).await?;
                files.push(report);
                staged.push(kept);
            }
            Ok((OutputReport::of_files(&planned.place, files), staged))
        };
        stopping(self.cx, kept).await.map_err(|e: Error| e.with("output", &planned.place))
    }

    async fn keep_file(
        &self,
        planned: &PlannedOutput,
        mut report: OutputReport,
        location: &Location,
        file: &MediaFile,
    ) -> Result<(OutputReport, StagedOutput)> {
        let registry = &self.resources.registry;
        report.warnings.extend(misnamed(registry, &location.key, Some(file.format())));
        let (put, precondition) = (&planned.put, planned.precondition.clone());
        let staged = self.stage(&report, file.blob(), put, precondition).await?;
        Ok((report, staged))
    }

    /// Verifies a file and takes its checksums, both at once if there are cores for that.
    async fn examine(
        &self,
        place: &str,
        expected: &MediaInfo,
        file: &MediaFile,
    ) -> Result<OutputReport> {
        let blob = file.blob().clone();
        let sums = self.cx.cpu(move |cx| checksums(&blob, cx));
        let (mut report, sums) = tokio::try_join!(self.verify(place, expected, file), sums)?;
        (report.sha256, report.md5) = sums;
        Ok(report)
    }

    /// Stages an output of this attempt, with what is said of it or of its storage.
    pub(super) async fn stage(
        &self,
        report: &OutputReport,
        blob: &Blob,
        put: &PutOptions,
        precondition: Option<Precondition>,
    ) -> Result<StagedOutput> {
        let location: Location = report.output.parse()?;
        // A place can be long and have any characters; its digest is as good a name.
        let name = hex(&sha2::Sha256::digest(&report.output)[..16]);
        let ticket = Ticket::new(&self.job, self.attempt.fence, name)?;
        let options = self.resources.storages.put_options(&location, put);
        let storage = self.resources.storages.of(&location)?;
        let stage = || storage.stage(&location.key, blob, &options, &ticket);
        let staged = repeated(self.cx, &self.resources.retry, stage).await?;
        Ok(StagedOutput::new(report, ticket, precondition, staged))
    }

    async fn verify(
        &self,
        place: &str,
        expected: &MediaInfo,
        file: &MediaFile,
    ) -> Result<OutputReport> {
        let mut report = OutputReport::pending(place);
        report.state = OutputState::Published;
        report.format = Some(file.format().clone());
        report.mime = self.resources.registry.mime(file.format()).to_owned();
        report.bytes = file.blob().len();
        if report.bytes == 0 {
            let error = Error::backend(codes::VERIFY_EMPTY, "an encoder made an empty file");
            return Err(error.retrying(Retry::Never));
        }
        match self.resources.registry.format(file.format()) {
            Some((reader, _)) => {
                // It is decoded once more, which takes as much as the first time. Of films the headers tell no more than the
                // plan, and take longer to read.
                let cost = match expected.medium {
                    Medium::Video | Medium::Audio => Ok(expected.clone()),
                    _ => self.resources.probe(file, self.cx).await,
                };
                let cost = cost.as_ref().unwrap_or(expected);
                let cost = cost.decoded_bytes().saturating_add(cost.decoder_bytes);
                let room = self.resources.capacity.admit(Estimate::cpu(cost), self.cx).await?;
                let found = reader.verify(file, expected, &self.cx.holding(room)).await?;
                (report.width, report.height) = (found.width, found.height);
                report.duration = found.duration;
            }
            None => {
                let format = file.format();
                report
                    .warnings
                    .push(format!("nothing here decodes {format}, so it is not verified"));
            }
        }
        Ok(report)
    }
}

/// What is to be said of a key whose ending is not that of its content.
pub(super) fn misnamed(registry: &Registry, key: &Key, format: Option<&Format>) -> Option<String> {
    let (named, format) = (key.extension(), format?);
    let fits = registry.is_named(format, named);
    (!fits).then(|| format!("the name says {named}, the content is {format}"))
}
