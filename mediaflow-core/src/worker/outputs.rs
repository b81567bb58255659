use std::io::Read as _;

use sha2::Digest as _;

use super::attempt::{Run, stopping};
use crate::media::{Blob, Media, MediaFile};
use crate::planner::PlannedOutput;
use crate::report::{OutputReport, OutputState};
use crate::spec::Location;
use crate::storage::Staged;
use crate::{Error, Result, RunContext};

impl Run<'_> {
    /// Verifies a result, takes its checksums and stages it.
    pub(super) async fn keep(
        &self,
        planned: &PlannedOutput,
        media: Media,
    ) -> Result<(OutputReport, Box<dyn Staged>)> {
        let kept = async {
            let location: Location = planned.place.parse()?;
            let storage = self.parts.storages.of(&location)?;
            let file = media.into_file()?;
            let mut report = self.verify(planned, &file).await?;
            let (named, format) = (location.key.extension(), file.format());
            let is = |name: &str| named.eq_ignore_ascii_case(name);
            if !(is("") || is(format.extension()) || is(format.name())) {
                report.warnings.push(format!("the name says {named}, the content is {format}"));
            }
            let blob = file.blob().clone();
            (report.sha256, report.md5) = self.cx.cpu(move |cx| checksums(&blob, cx)).await?;
            let staged = storage.stage(&location.key, file.blob()).await?;
            Ok((report, staged))
        };
        stopping(self.cx, kept).await.map_err(|e: Error| e.with("output", &planned.place))
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
        match self.parts.registry.backend_for_format(file.format()) {
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

/// SHA-256 and MD5, in hexadecimal.
fn checksums(blob: &Blob, cx: &RunContext) -> Result<(String, String)> {
    let (mut sha256, mut md5) = (sha2::Sha256::new(), md5::Md5::new());
    let mut reader = blob.reader()?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        cx.check()?;
        let read = reader.read(&mut buffer).map_err(|e| {
            Error::transient("blob.io", "a result could not be read back").because(e)
        })?;
        if read == 0 {
            return Ok((hex(&sha256.finalize()), hex(&md5.finalize())));
        }
        sha256.update(&buffer[..read]);
        md5.update(&buffer[..read]);
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
