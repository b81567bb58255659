use std::io::Read as _;

use sha2::Digest as _;

use super::finished::Waiting;
use super::run::{Execution, stopping};
use crate::media::{Blob, Format, Media, MediaFile};
use crate::planner::PlannedOutput;
use crate::report::{OutputReport, OutputState};
use crate::spec::{Key, Location};
use crate::storage::Ticket;
use crate::{Error, Result, RunContext};

impl Execution<'_> {
    /// Verifies a result, takes its checksums and stages it.
    pub(super) async fn keep(
        &self,
        planned: &PlannedOutput,
        media: Media,
    ) -> Result<(OutputReport, Waiting)> {
        let kept = async {
            let location: Location = planned.place.parse()?;
            let file = media.into_file()?;
            let mut report = self.verify(planned, &file).await?;
            report.warnings.extend(misnamed(&location.key, Some(file.format())));
            let blob = file.blob().clone();
            (report.sha256, report.md5) = self.cx.cpu(move |cx| checksums(&blob, cx)).await?;
            let waiting = self.stage(&report, file.blob()).await?;
            Ok((report, waiting))
        };
        stopping(self.cx, kept).await.map_err(|e: Error| e.with("output", &planned.place))
    }

    /// Stages an output of this attempt.
    pub(super) async fn stage(&self, report: &OutputReport, blob: &Blob) -> Result<Waiting> {
        let location: Location = report.output.parse()?;
        // A place can be long and have any characters; its digest is as good a name.
        let name = hex(&sha2::Sha256::digest(&report.output)[..16]);
        let ticket = Ticket::new(&self.job, self.attempt.fence, name)?;
        let staged =
            self.resources.storages.of(&location)?.stage(&location.key, blob, &ticket).await?;
        Ok(Waiting::new(report, ticket, staged))
    }

    async fn verify(&self, planned: &PlannedOutput, file: &MediaFile) -> Result<OutputReport> {
        let mut report = OutputReport::pending(&*planned.place);
        report.state = OutputState::Published;
        report.format = Some(file.format().clone());
        file.format().mime().clone_into(&mut report.mime);
        report.bytes = file.blob().len();
        if report.bytes == 0 {
            return Err(Error::backend("verify.empty", "an encoder made an empty file"));
        }
        match self.resources.registry.backend_for_format(file.format()) {
            Ok(backend) => {
                let found = backend.verify(file, &planned.expected, self.cx).await?;
                (report.width, report.height) = found.upright_size();
                report.duration = found.duration;
            }
            Err(_) => {
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
pub(super) fn misnamed(key: &Key, format: Option<&Format>) -> Option<String> {
    let (named, format) = (key.extension(), format?);
    let is = |name: &str| named.eq_ignore_ascii_case(name);
    let fits = is("") || is(format.extension()) || is(format.name());
    (!fits).then(|| format!("the name says {named}, the content is {format}"))
}

/// SHA-256 and MD5, in hexadecimal.
fn checksums(blob: &Blob, cx: &RunContext) -> Result<(String, String)> {
    let (mut sha256, mut md5) = (sha2::Sha256::new(), md5::Md5::new());
    chunks(blob, cx, |chunk| {
        sha256.update(chunk);
        md5.update(chunk);
    })?;
    Ok((hex(&sha256.finalize()), hex(&md5.finalize())))
}

/// SHA-256, in hexadecimal.
pub(super) fn sha256(blob: &Blob, cx: &RunContext) -> Result<String> {
    let mut sha256 = sha2::Sha256::new();
    chunks(blob, cx, |chunk| sha256.update(chunk))?;
    Ok(hex(&sha256.finalize()))
}

fn chunks(blob: &Blob, cx: &RunContext, mut take: impl FnMut(&[u8])) -> Result<()> {
    let mut reader = blob.reader()?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        cx.check()?;
        let read = reader
            .read(&mut buffer)
            .map_err(|e| Error::transient("blob.io", "a file could not be read").because(e))?;
        if read == 0 {
            return Ok(());
        }
        take(&buffer[..read]);
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
