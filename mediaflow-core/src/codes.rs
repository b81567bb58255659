//! The codes of errors: [`Error::code`](crate::Error::code) is one of these, or one of a third party's own. A code says what is
//! wrong, for whoever acts upon it; the error's text and facts say where. Codes stay: what one stands for does not change.
//!
//! ```
//! use mediaflow_core::{Color, codes};
//!
//! let error = "no colour".parse::<Color>().unwrap_err();
//! assert_eq!(error.code(), codes::COLOR_SYNTAX);
//! ```

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`: ", $meaning, ".")]
            pub const $name: &str = $code;
        )*

        /// All of them, each with its meaning, in their order.
        pub const ALL: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

codes! {
    AUDIO_SHAPE = "audio.shape", "sound has a rate and channels";

    AWS_CREDENTIALS = "aws.credentials", "there are no credentials for Amazon's services";

    BACKEND_UNKNOWN = "backend.unknown", "there is no backend of this name";

    BATCH_UNKNOWN = "batch.unknown", "there is no such batch";

    BLOB_IO = "blob.io", "a temporary file could not be read";
    BLOB_NO_PATH = "blob.no_path", "a file has no path, though it needs one";

    BUNDLE_NAME = "bundle.name", "two files of a bundle have the same name";

    CHANNEL_ADDRESS = "channel.address", "this can not be an address of the channel";
    CHANNEL_ENDPOINT = "channel.endpoint", "this is no address of a service";
    CHANNEL_URL = "channel.url", "a line that names a channel is not understood";

    CLASS_NAME = "class.name", "this is no name of a class of work";
    CLASS_UNKNOWN = "class.unknown", "nothing here is of this class";

    COLOR_SYNTAX = "color.syntax", "this is not a colour";

    DELIVERY_INVALID = "delivery.invalid", "a setting of how messages are sent can not be kept to";

    DESTINATION_UNKNOWN = "destination.unknown", "there is no such destination";

    EMAIL_FROM = "email.from", "the sender is no e-mail address";
    EMAIL_RELAY = "email.relay", "this is no relay for e-mail";

    ENGINE_FULL = "engine.full", "too many jobs or notifications are waiting";
    ENGINE_PANICKED = "engine.panicked", "the engine panicked";
    ENGINE_STOPPED = "engine.stopped", "the engine has stopped";
    ENGINE_SUBMIT = "engine.submit", "a submission gave no job or batch";

    EVENTS_GAP = "events.gap", "events were missed that are not kept any more";

    FACTS_JSON = "facts.json", "facts can not be written as JSON";

    FONT_BROKEN = "font.broken", "a font can not be read";
    FONT_FORMAT = "font.format", "this is no font in the format TrueType or OpenType";

    FRAMES_COUNT = "frames.count", "there are more or fewer frames than was said";
    FRAMES_NONE = "frames.none", "there is no frame in it";
    FRAMES_SHAPE = "frames.shape", "a frame has another size than all";
    FRAMES_TIME = "frames.time", "a frame begins before the one before it";

    GEOMETRY_ASPECT = "geometry.aspect", "a shape of a rectangle is no two numbers above 0";
    GEOMETRY_BOX = "geometry.box", "a box needs a width or a height";
    GEOMETRY_FOCAL = "geometry.focal", "a focal point lies between 0 and 1";
    GEOMETRY_GRAVITY = "geometry.gravity", "a gravity that is found in a picture is for what is cut off of one";
    GEOMETRY_LENGTH = "geometry.length", "a length along a side is no pixels and no part of it";

    HTTP_ALLOW = "http.allow", "an allowed host is no host and port";
    HTTP_BROKEN = "http.broken", "the connection broke";
    HTTP_CLIENT = "http.client", "the HTTP client could not be set up";
    HTTP_CONNECT = "http.connect", "the server could not be reached";
    HTTP_CREDENTIALS = "http.credentials", "a source's URL must not carry credentials";
    HTTP_DNS = "http.dns", "the name of the host could not be resolved";
    HTTP_ENCODING = "http.encoding", "the server compresses although it was asked not to";
    HTTP_FORBIDDEN_ADDRESS = "http.forbidden_address", "the host is no public address";
    HTTP_HEADER = "http.header", "this header can not be sent";
    HTTP_REDIRECT = "http.redirect", "the server redirects, which is not followed";
    HTTP_SCHEME = "http.scheme", "the URL is not HTTP";
    HTTP_SLOW = "http.slow", "the server sends too slowly";
    HTTP_STALLED = "http.stalled", "the server stopped sending";
    HTTP_STATUS = "http.status", "the server answers with an error";
    HTTP_TIMEOUT = "http.timeout", "the server took too long to send everything";
    HTTP_URL = "http.url", "the URL can not be read, or names no host";

    IMAGE_CORRUPT = "image.corrupt", "the picture is damaged";
    IMAGE_ENCODE = "image.encode", "the encoder refused the picture";
    IMAGE_FORMAT = "image.format", "this format is not decoded here";
    IMAGE_ICC = "image.icc", "the colours can not be converted";
    IMAGE_MAX_BYTES = "image.max_bytes", "the picture does not fit into that many bytes at any quality";
    IMAGE_RESIZE = "image.resize", "the pixels are not aligned";
    IMAGE_SHAPE = "image.shape", "the pixels do not fit the size";
    IMAGE_TOO_LARGE = "image.too_large", "the format has no room for a picture of this size";
    IMAGE_TRUNCATED = "image.truncated", "the file ends before the picture does";
    IMAGE_UNSUPPORTED = "image.unsupported", "the file uses something of its format that is not decoded here";

    INSPECT_CURSOR = "inspect.cursor", "this is no cursor of this list here";
    INSPECT_GAP = "inspect.gap", "what followed the cursor is not kept any more";
    INSPECT_PAGE_SIZE = "inspect.page_size", "a page can not hold so many items";

    JOB_CANCELLED = "job.cancelled", "the job was cancelled";
    JOB_DEADLINE = "job.deadline", "the job did not finish before its deadline";
    JOB_FAILED = "job.failed", "the job failed, and its report does not say why";
    JOB_KEY_REUSED = "job.key_reused", "the idempotency key stands for another job";
    JOB_LOST = "job.lost", "the job's row in River has ended without the job";
    JOB_NO_REPORT = "job.no_report", "an ended job has no report";
    JOB_NOT_ENDED = "job.not_ended", "only a job that has ended can be replayed";
    JOB_OUTCOMES = "job.outcomes", "nobody here knows what became of other jobs";
    JOB_PANICKED = "job.panicked", "the job panicked";
    JOB_PREDECESSOR_FAILED = "job.predecessor_failed", "a job that this one comes after has failed";
    JOB_UNKNOWN = "job.unknown", "there is no such job";
    JOB_WORKER_LOST = "job.worker_lost", "the worker process died";

    LIMIT_ADDRESS_BYTES = "limit.address_bytes", "an address is too long";
    LIMIT_AFTER = "limit.after", "a job comes after too many others";
    LIMIT_ATTEMPTS = "limit.attempts", "a job asks for more attempts than are allowed";
    LIMIT_BATCH_JOBS = "limit.batch_jobs", "a batch has too many jobs";
    LIMIT_CALL_BYTES = "limit.call_bytes", "a call-back has too many bytes";
    LIMIT_DEADLINE = "limit.deadline", "a job asks for more time than an attempt may have";
    LIMIT_DURATION = "limit.duration", "the source is too long";
    LIMIT_FACT_BYTES = "limit.fact_bytes", "the facts of a job have too many bytes";
    LIMIT_FRAMES = "limit.frames", "the source has too many frames";
    LIMIT_IMAGE_BYTES = "limit.image_bytes", "decoding the picture takes more memory than is allowed";
    LIMIT_INLINE_BYTES = "limit.inline_bytes", "an inline source has too many bytes";
    LIMIT_INPUT_BYTES = "limit.input_bytes", "a source has too many bytes";
    LIMIT_INPUTS = "limit.inputs", "a pipeline has too many sources";
    LIMIT_JOB_INPUT_BYTES = "limit.job_input_bytes", "the sources of a job together have too many bytes";
    LIMIT_LISTED = "limit.listed", "a pattern of sources looks at more keys than the limit";
    LIMIT_MEMORY = "limit.memory", "the work needs more memory than this process may use";
    LIMIT_METADATA_BYTES = "limit.metadata_bytes", "the metadata of a source has too many bytes";
    LIMIT_NOTIFY_TARGETS = "limit.notify_targets", "a job names too many notifiers";
    LIMIT_OPTION_BYTES = "limit.option_bytes", "an option of a job is too long";
    LIMIT_OPTION_METADATA_BYTES = "limit.option_metadata_bytes", "the metadata of a job has too many bytes";
    LIMIT_OUTPUTS = "limit.outputs", "a pipeline has too many outputs";
    LIMIT_PIXELS = "limit.pixels", "the source has too many pixels";
    LIMIT_PRIORITY = "limit.priority", "a job asks for a higher priority than is allowed";
    LIMIT_PROBE_TIME = "limit.probe_time", "reading the headers took too long";
    LIMIT_SCANS = "limit.scans", "the JPEG has too many scans";
    LIMIT_SIDE = "limit.side", "a result has too many pixels on a side";
    LIMIT_SPEC_BYTES = "limit.spec_bytes", "a spec has too many bytes";
    LIMIT_STEPS = "limit.steps", "a pipeline has too many steps";
    LIMIT_TAGS = "limit.tags", "a job has too many tags";
    LIMIT_UPDATE_BYTES = "limit.update_bytes", "an update has too many bytes";
    LIMIT_WAIT_BYTES = "limit.wait_bytes", "the state of a wait has too many bytes";

    LUT_SIZE = "lut.size", "a look-up table has no size, two of them, or too many points";
    LUT_SYNTAX = "lut.syntax", "a line is none of a look-up table in the format `.cube`";
    LUT_VALUES = "lut.values", "a look-up table has more or fewer points than it says";

    MEDIA_AUDIO = "media.audio", "another medium is needed, not sound";
    MEDIA_BUNDLE = "media.bundle", "one medium is needed, not several files";
    MEDIA_EMPTY = "media.empty", "the file has no bytes";
    MEDIA_FACTS = "media.facts", "media are needed, not facts";
    MEDIA_FRAMES = "media.frames", "another medium is needed, not frames";
    MEDIA_IMAGE = "media.image", "another medium is needed, not a picture";
    MEDIA_NO_AUDIO = "media.no_audio", "sound is needed";
    MEDIA_NO_FACTS = "media.no_facts", "facts are needed, not media";
    MEDIA_NO_FRAMES = "media.no_frames", "frames are needed";
    MEDIA_NO_PAGES = "media.no_pages", "pages are needed";
    MEDIA_NO_PICTURE = "media.no_picture", "there is no picture to work on";
    MEDIA_NOT_DECODED = "media.not_decoded", "decoded pixels are needed, not a file";
    MEDIA_NOT_ENCODED = "media.not_encoded", "an encoded file is needed, not pixels";
    MEDIA_PAGES = "media.pages", "another medium is needed, not pages";
    MEDIA_UNRECOGNISED = "media.unrecognised", "the content is nothing that is read here, whatever the name says";
    MEDIA_UNSUPPORTED = "media.unsupported", "nothing here reads this format";

    NOTIFY_NAME = "notify.name", "this can not be the name of a notifier";
    NOTIFY_RECIPIENTS = "notify.recipients", "the recipients of an event could not be looked up";
    NOTIFY_TWICE = "notify.twice", "two notifiers have the same name";
    NOTIFY_UNKNOWN = "notify.unknown", "there is no notifier of this name";

    OP_BACKGROUND = "op.background", "a ground to flatten on must be opaque";
    OP_COLOR = "op.color", "a colour in which nothing shows through is needed";
    OP_CROP = "op.crop", "the rectangle leaves the picture";
    OP_DESCRIBE = "op.describe", "an operation does not say what it makes";
    OP_EMPTY_CUT = "op.empty_cut", "the cut begins after the end";
    OP_FPS = "op.fps", "a frame rate lies between 0.1 and 240";
    OP_NO_PLACE = "op.no_place", "the CPU pool is closed";
    OP_NO_THREAD = "op.no_thread", "the system gives no more threads";
    OP_NOT_RUN = "op.not_run", "the operation is done by backends only";
    OP_PANICKED = "op.panicked", "a step panicked";
    OP_PARAMS = "op.params", "the parameters of a step can not be read or written";
    OP_POSITION = "op.position", "a poster lies at `seconds` from 0 or at `percent` from 0 to 100";
    OP_RANGE = "op.range", "a parameter of a step is out of its range";
    OP_TRIM = "op.trim", "give `start`, and `end` or `duration`, in seconds";

    OUTPUT_PATTERN = "output.pattern", "the place of an output does not fit the files that it gets";

    PAGES_NUMBER = "pages.number", "there is no such page";
    PAGES_SHAPE = "pages.shape", "a page was rendered at another size";

    PART_INPUT = "part.input", "a part does not say what it makes";
    PART_LOST = "part.lost", "a result of a part is gone";

    PLAN_DESCRIBED = "plan.described", "the picture has another shape than was said before";
    PLAN_EMPTY = "plan.empty", "a group of steps has no result";
    PLAN_ENCODED = "plan.encoded", "a step comes after an encoder";
    PLAN_INPUT = "plan.input", "a step takes from nothing";
    PLAN_MEDIUM = "plan.medium", "a step does not fit the medium that it gets";
    PLAN_NO_INFO = "plan.no_info", "a source was not probed before the plan";
    PLAN_NO_INPUT = "plan.no_input", "an input was not given";
    PLAN_NO_RESULT = "plan.no_result", "a step gave no result";
    PLAN_ORDER = "plan.order", "a step ran before its input";
    PLAN_PRODUCT = "plan.product", "a file was asked for as a frame";
    PLAN_SPENT = "plan.spent", "a result was taken too often";
    PLAN_UNCLAIMED = "plan.unclaimed", "nothing here does this step for this medium";
    PLAN_UNKNOWN_STEP = "plan.unknown_step", "the group has no such step or input";

    QUEUE_AUTH = "queue.auth", "the database refuses the user or the password";
    QUEUE_BUSY = "queue.busy", "another process holds the lock of the database file";
    QUEUE_CLOSED = "queue.closed", "the queue is not open yet";
    QUEUE_CONFLICT = "queue.conflict", "two transactions were in each other's way";
    QUEUE_CONNECTIONS = "queue.connections", "the database server has no free connection";
    QUEUE_CORRUPT = "queue.corrupt", "the file is no SQLite database, or a damaged one";
    QUEUE_CORRUPT_ROW = "queue.corrupt_row", "a stored row can not be read";
    QUEUE_DATABASE = "queue.database", "the database failed in an unknown way";
    QUEUE_DISK_FULL = "queue.disk_full", "the disk of the database is full";
    QUEUE_EARLIER_WORKERS = "queue.earlier_workers", "processes of an earlier version are at work, which do not know where River's tables go";
    QUEUE_FENCED = "queue.fenced", "another worker has taken the job over";
    QUEUE_FOREIGN_JOBS = "queue.foreign_jobs", "River's tables here hold the jobs of somebody else";
    QUEUE_INTERRUPTED = "queue.interrupted", "the database server has cancelled a statement";
    QUEUE_IO = "queue.io", "the disk failed to read or write the database file";
    QUEUE_JSON = "queue.json", "a value can not be written as JSON";
    QUEUE_NEWER_SCHEMA = "queue.newer_schema", "a newer mediaflow has made these tables";
    QUEUE_NO_DATABASE = "queue.no_database", "there is no such database on the server";
    QUEUE_OPEN = "queue.open", "the database can not be opened";
    QUEUE_OPEN_TWICE = "queue.open_twice", "this queue belongs to another Mediaflow already";
    QUEUE_PERMISSION = "queue.permission", "the database user may not do this";
    QUEUE_READ_ONLY = "queue.read_only", "the database file can not be written";
    QUEUE_RESOURCES = "queue.resources", "there was no memory for the database file";
    QUEUE_RIVER = "queue.river", "River refused a request";
    QUEUE_RIVER_SCHEMA = "queue.river_schema", "River's tables can not be in a schema of this name";
    QUEUE_SCHEMA = "queue.schema", "River's tables can not be brought to today's version";
    QUEUE_STANDBY = "queue.standby", "the database server only reads at the moment";
    QUEUE_STORE = "queue.store", "the database has no name in its facts";
    QUEUE_THREAD = "queue.thread", "no thread can be started for the signs of life";
    QUEUE_UNAVAILABLE = "queue.unavailable", "the database does not answer";
    QUEUE_URL = "queue.url", "this is no URL of a PostgreSQL database";

    PUSH_KEY = "push.key", "the keys of a sender of push messages are not right";

    READER_NOT_DECODED = "reader.not_decoded", "files of this format are not decoded for steps of others";

    REGISTRY_TWICE = "registry.twice", "two things of a registry have the same name";

    REMOTE_ADDRESS = "remote.address", "an address in a call-back is not one of Amazon's";
    REMOTE_BODY = "remote.body", "a call-back is not what its sender sends";
    REMOTE_CERTIFICATE = "remote.certificate", "the certificate of a call-back can not be used";
    REMOTE_SUBSCRIPTION = "remote.subscription", "a subscription could not be confirmed";
    REMOTE_TOPIC = "remote.topic", "the topic of a call-back is not one that is listened to";

    ROUTE_ACKNOWLEDGED = "route.acknowledged", "nothing is named that is acknowledged";
    ROUTE_INVALID = "route.invalid", "a route of notifications says what can not be kept to";
    ROUTE_QUIET = "route.quiet", "these are no quiet hours";
    ROUTE_TWICE = "route.twice", "two rules of notifications have the same name";

    SCHEDULE_CRON = "schedule.cron", "this is no cron line, or no time fits it";
    SCHEDULE_NAME = "schedule.name", "this can not name a schedule";
    SCHEDULE_ZONE = "schedule.zone", "there is no such time zone here";

    SCRATCH_IO = "scratch.io", "the folder for temporary files can not be used";

    SOURCE_BUNDLE = "source.bundle", "the output has several files";
    SOURCE_CHANGED = "source.changed", "what the job has made was replaced since";
    SOURCE_NONE = "source.none", "there is nothing at this pattern";
    SOURCE_NOT_ENDED = "source.not_ended", "the job that makes the source has not ended";
    SOURCE_NOT_FOUND = "source.not_found", "there is no such source";
    SOURCE_NOT_MADE = "source.not_made", "the job did not make this output";
    SOURCE_OUTPUT = "source.output", "an output was not looked up";
    SOURCE_PATH = "source.path", "the path is in no folder that may be read";
    SOURCE_REFUSED = "source.refused", "the source is not accepted";
    SOURCE_URL = "source.url", "sources by URL are not built in";

    SPEC_ACCEPT = "spec.accept", "no source can keep a rule";
    SPEC_BATCH = "spec.batch", "a batch needs at least one job";
    SPEC_CYCLE = "spec.cycle", "steps take from one another in a circle";
    SPEC_EXTENSION = "spec.extension", "the ending of an output's name is not that of its format";
    SPEC_FACTS = "spec.facts", "two facts have the same name";
    SPEC_FROM = "spec.from", "a step takes from nothing";
    SPEC_IDEMPOTENCY_KEY = "spec.idempotency_key", "an idempotency key has no control characters";
    SPEC_IN_PLACE = "spec.in_place", "an output would take the place of a source";
    SPEC_INPUTS = "spec.inputs", "a step gets another number of inputs than it takes";
    SPEC_JSON = "spec.json", "the spec can not be read";
    SPEC_NAME = "spec.name", "two things of a pipeline have the same name";
    SPEC_ON_ERROR = "spec.on_error", "a source has no error policy";
    SPEC_OUTPUTS = "spec.outputs", "the outputs of a pipeline are none, too many or twice the same";
    SPEC_PARAMS = "spec.params", "the parameters of a job can not be read or written";
    SPEC_PUT = "spec.put", "an option of the stored file is not valid";
    SPEC_REFERENCE = "spec.reference", "there is no step or input of this name";
    SPEC_REQUIRES = "spec.requires", "something that the spec requires is not known here";
    SPEC_SOURCE = "spec.source", "a source can not be read from its text";
    SPEC_SOURCES = "spec.sources", "there are no sources of this name";
    SPEC_TENANT = "spec.tenant", "this is no name of a tenant";
    SPEC_UNKNOWN_JOB = "spec.unknown_job", "no job of this kind is registered";
    SPEC_UNKNOWN_OP = "spec.unknown_op", "no operation of this kind is registered";
    SPEC_VERSION = "spec.version", "this version of a stored form is not understood here";

    STEP_STALLED = "step.stalled", "the step gave no sign of life and was stopped";

    STORAGE_BUCKET = "storage.bucket", "there is no such bucket";
    STORAGE_CONFIG = "storage.config", "the settings of a storage do not fit together";
    STORAGE_CONFLICT = "storage.conflict", "others write to the same key all the time";
    STORAGE_DENIED = "storage.denied", "the store refuses the credentials";
    STORAGE_EXPIRY = "storage.expiry", "a request can not be signed for so long";
    STORAGE_INSECURE = "storage.insecure", "the endpoint has no TLS";
    STORAGE_IO = "storage.io", "a storage failed to read or write";
    STORAGE_KEY = "storage.key", "this is no key of a storage";
    STORAGE_NOT_FOUND = "storage.not_found", "there is nothing under this key or ticket";
    STORAGE_PRECONDITION = "storage.precondition", "what is under the key is not what it has to be";
    STORAGE_PREFIX = "storage.prefix", "this can not be the prefix of objects";
    STORAGE_RANGE = "storage.range", "there are no such bytes";
    STORAGE_REFUSED = "storage.refused", "the store can not do what was asked for";
    STORAGE_REGION = "storage.region", "the bucket is in another region";
    STORAGE_REVOKED = "storage.revoked", "the staged bytes are gone: a later attempt took over";
    STORAGE_TICKET = "storage.ticket", "this can not name staged bytes";
    STORAGE_TIMEOUT = "storage.timeout", "publishing took too long";
    STORAGE_TWICE = "storage.twice", "two storages have the same name";
    STORAGE_UNKNOWN = "storage.unknown", "there is no storage of this name";
    STORAGE_UNSUPPORTED = "storage.unsupported", "this storage can not do what was asked for";
    STORAGE_URL = "storage.url", "no storage has such a URL";

    UPLOAD_CHANGED = "upload.changed", "the upload was sent again while it was completed";
    UPLOAD_COMPLETED = "upload.completed", "the upload was completed before";
    UPLOAD_CONTENT = "upload.content", "the upload is something else than announced";
    UPLOAD_EXPIRED = "upload.expired", "the upload was not completed in time";
    UPLOAD_MISSING = "upload.missing", "nothing was uploaded";
    UPLOAD_SIZE = "upload.size", "the size of an upload is not what was announced";

    VERIFY_DECODE = "verify.decode", "the result can not be decoded";
    VERIFY_DURATION = "verify.duration", "the result has another length than planned";
    VERIFY_EMPTY = "verify.empty", "a step gave no files, or an empty one";
    VERIFY_FORMAT = "verify.format", "the result has another format than planned";
    VERIFY_FRAMES = "verify.frames", "the result has another number of frames than planned";
    VERIFY_SIZE = "verify.size", "the result has another size than planned";
    VERIFY_STREAMS = "verify.streams", "the result has other streams than planned";

    VIDEO_AUDIO_BITRATE = "video.audio_bitrate", "sound has between 32,000 and 320,000 bits per second";
    VIDEO_CRF = "video.crf", "a constant rate factor lies between 0 and 51";
    VIDEO_EMPTY_CUT = "video.empty_cut", "no frame lies in the cut";
    VIDEO_GOP = "video.gop", "key frames are at least one frame apart";
    VIDEO_GSTREAMER = "video.gstreamer", "GStreamer can not be used";
    VIDEO_IO = "video.io", "reading or writing a file of a clip failed";
    VIDEO_MALFORMED = "video.malformed", "the boxes of the file contradict one another";
    VIDEO_MISSING_PLUGIN = "video.missing_plugin", "a plugin of GStreamer is not installed";
    VIDEO_NO_FRAME = "video.no_frame", "no frame can be decoded there";
    VIDEO_NO_MOOV = "video.no_moov", "the index of the file is missing or cut off";
    VIDEO_NO_SPACE = "video.no_space", "the disk is full";
    VIDEO_NO_STREAM = "video.no_stream", "the file has no stream of the kind that is needed";
    VIDEO_NOT_DECODABLE = "video.not_decodable", "the content can not be decoded";
    VIDEO_NOT_ENCODED = "video.not_encoded", "a branch of video ends in neither a file nor a frame";
    VIDEO_NOT_SEEKABLE = "video.not_seekable", "the file can not be cut: its container has no index";
    VIDEO_OPTION = "video.option", "an option does not fit clips";
    VIDEO_PIPELINE = "video.pipeline", "a pipeline of GStreamer failed";
    VIDEO_PROBE_TIME = "video.probe_time", "probing took too long";
    VIDEO_STALLED = "video.stalled", "nothing moved in the pipeline for too long";
    VIDEO_TRUNCATED = "video.truncated", "the file ends early";

    TEMPLATES_LOCALE = "templates.locale", "there are no templates of this locale";
    TEMPLATES_NAME = "templates.name", "no message asks for a template of this name";
    TEMPLATES_SYNTAX = "templates.syntax", "a template can not be rendered, or has no title";
    TEMPLATES_VALUE = "templates.value", "a template asks for a value that no event has";

    WAIT_EXPIRED = "wait.expired", "nothing came back in time from where the work goes on";
    WAIT_KEY = "wait.key", "this can not be the key of a wait";
    WAIT_KEY_TAKEN = "wait.key_taken", "other work waits under this key already";
    WAIT_REPLAY_KEY = "wait.replay_key", "this can not be a replay key";
    WAIT_STATE = "wait.state", "the state of a wait can not be written as JSON";
    WAIT_UNSUPPORTED = "wait.unsupported", "this backend has nothing that waits";
    WAIT_UPDATE = "wait.update", "an update is not of the shape that the backend reads";

    WEBHOOK_DIALECT = "webhook.dialect", "a webhook speaks one dialect";
    WEBHOOK_HEADER = "webhook.header", "a header is missing";
    WEBHOOK_MAX_BODY = "webhook.max_body", "a body needs 8 KiB at least";
    WEBHOOK_PUBLIC_URL = "webhook.public_url", "the public URL of a storage begins with `https://`";
    WEBHOOK_SECRET = "webhook.secret", "the secret of a webhook is empty or malformed";
    WEBHOOK_SIGNATURE = "webhook.signature", "no signature fits";
    WEBHOOK_TIMESTAMP = "webhook.timestamp", "the timestamp of a webhook is no number, or too old";
    WEBHOOK_UNSIGNED = "webhook.unsigned", "a webhook needs a secret";
}
