//! What failures are called in German, by the code of the error: its own text is English.

use mediaflow_core::codes;

const DAMAGED: &str = "Die Datei ist besch\u{e4}digt";
const SHORT: &str = "Die Datei ist nicht vollst\u{e4}ndig";
const UNKNOWN: &str = "Dieses Format wird hier nicht gelesen";
const LARGE: &str = "Die Datei ist zu gro\u{df}";
const SOURCE: &str = "Die Quelle antwortet nicht, wie sie soll";
const STOPPED: &str = "Bei der Verarbeitung ist ein Fehler aufgetreten";
const STORAGE: &str = "Der Speicher hat einen Fehler gemeldet";
const RESULT: &str = "Das Ergebnis ist nicht so, wie es sein soll";

/// Those that are common. What is not here is told without a sentence, and by its code.
const ALL: &[(&str, &str)] = &[
    (codes::HTTP_BROKEN, SOURCE),
    (codes::HTTP_CONNECT, "Der Server der Quelle ist nicht zu erreichen"),
    (codes::HTTP_DNS, "Den Server der Quelle gibt es nicht"),
    (codes::HTTP_FORBIDDEN_ADDRESS, "Von dieser Adresse wird nichts geholt"),
    (codes::HTTP_REDIRECT, SOURCE),
    (codes::HTTP_SLOW, "Der Server der Quelle ist zu langsam"),
    (codes::HTTP_STALLED, "Der Server der Quelle ist zu langsam"),
    (codes::HTTP_STATUS, SOURCE),
    (codes::HTTP_TIMEOUT, "Der Server der Quelle ist zu langsam"),
    (codes::IMAGE_CORRUPT, DAMAGED),
    (codes::IMAGE_FORMAT, UNKNOWN),
    (codes::IMAGE_MAX_BYTES, "Das Bild passt in keiner Qualit\u{e4}t in so wenige Bytes"),
    (codes::IMAGE_TOO_LARGE, "Das Bild ist zu gro\u{df} f\u{fc}r das Format"),
    (codes::IMAGE_TRUNCATED, SHORT),
    (codes::IMAGE_UNSUPPORTED, UNKNOWN),
    (codes::JOB_DEADLINE, "Der Auftrag wurde nicht rechtzeitig fertig"),
    (codes::JOB_PANICKED, STOPPED),
    (codes::JOB_PREDECESSOR_FAILED, "Ein Auftrag, nach dem dieser kommt, ist fehlgeschlagen"),
    (codes::JOB_WORKER_LOST, "Der Prozess, der daran gearbeitet hat, ist zu Ende gegangen"),
    (codes::LIMIT_DURATION, "Die Aufnahme ist zu lang"),
    (codes::LIMIT_FRAMES, "Die Datei hat zu viele Einzelbilder"),
    (codes::LIMIT_IMAGE_BYTES, LARGE),
    (codes::LIMIT_INLINE_BYTES, LARGE),
    (codes::LIMIT_INPUT_BYTES, LARGE),
    (codes::LIMIT_JOB_INPUT_BYTES, "Die Dateien sind zusammen zu gro\u{df}"),
    (codes::LIMIT_MEMORY, "Die Verarbeitung braucht zu viel Speicher"),
    (codes::LIMIT_METADATA_BYTES, "Die Datei hat zu viele Metadaten"),
    (codes::LIMIT_PIXELS, "Das Bild hat zu viele Pixel"),
    (codes::LIMIT_SIDE, "Das Ergebnis w\u{e4}re zu gro\u{df}"),
    (codes::MEDIA_EMPTY, "Die Datei ist leer"),
    (codes::MEDIA_NO_AUDIO, "Es ist kein Ton darin"),
    (codes::MEDIA_NO_PICTURE, "Es ist kein Bild darin"),
    (codes::MEDIA_UNRECOGNISED, "Der Inhalt ist nichts, was hier gelesen wird"),
    (codes::MEDIA_UNSUPPORTED, UNKNOWN),
    (codes::OP_PANICKED, STOPPED),
    (codes::SOURCE_CHANGED, "Die Quelle wurde inzwischen ersetzt"),
    (codes::SOURCE_NONE, "Es gibt keine solche Quelle"),
    (codes::SOURCE_NOT_FOUND, "Es gibt keine solche Quelle"),
    (codes::SOURCE_REFUSED, "Die Quelle entspricht nicht den Vorgaben"),
    (codes::STEP_STALLED, "Ein Schritt kam nicht voran und wurde beendet"),
    (codes::STORAGE_DENIED, "Der Speicher erlaubt den Zugriff nicht"),
    (codes::STORAGE_IO, STORAGE),
    (codes::STORAGE_NOT_FOUND, "Im Speicher ist nichts unter diesem Namen"),
    (codes::STORAGE_TIMEOUT, STORAGE),
    (codes::VERIFY_DECODE, RESULT),
    (codes::VERIFY_DURATION, RESULT),
    (codes::VERIFY_EMPTY, RESULT),
    (codes::VERIFY_FORMAT, RESULT),
    (codes::VERIFY_FRAMES, RESULT),
    (codes::VERIFY_SIZE, RESULT),
    (codes::VERIFY_STREAMS, RESULT),
    (codes::VIDEO_EMPTY_CUT, "An dieser Stelle ist kein Bild"),
    (codes::VIDEO_MALFORMED, DAMAGED),
    (codes::VIDEO_NO_FRAME, "An dieser Stelle ist kein Bild"),
    (codes::VIDEO_NO_MOOV, SHORT),
    (codes::VIDEO_NO_SPACE, "Der Platz zum Arbeiten ist voll"),
    (codes::VIDEO_NO_STREAM, "In der Datei fehlt, was gebraucht wird: Bild oder Ton"),
    (codes::VIDEO_NOT_DECODABLE, UNKNOWN),
    (codes::VIDEO_PIPELINE, STOPPED),
    (codes::VIDEO_STALLED, "Die Verarbeitung kam nicht voran und wurde beendet"),
    (codes::VIDEO_TRUNCATED, SHORT),
    (codes::WAIT_EXPIRED, "Von dort, wo weitergearbeitet wird, kam nichts zur\u{fc}ck"),
];

/// The words of a code without a full stop; nothing if there are none.
pub(super) fn words(code: Option<&str>) -> &'static str {
    ALL.iter().find(|(known, _)| code == Some(known)).map_or("", |(_, words)| words)
}
