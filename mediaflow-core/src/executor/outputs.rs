use sha2::Digest as _;

use super::digest::{checksums, hex};
use super::execution::{Execution, stopping};
use super::finished::StagedOutput;
use crate::media::{Blob, Format, Media, MediaFile};
use crate::planner::PlannedOutput;
use crate::report::{OutputReport, OutputState};
use crate::spec::{Key, Location, Precondition, PutOptions};
use crate::storage::Ticket;
use crate::{Error, Result};

impl Execution<'_> {
    /// Verifies a result, takes its checksums and stages it.
    pub(super) async fn keep(
        &self,
        planned: &PlannedOutput,
        media: Media,
    ) -> Result<(OutputReport, StagedOutput)> {
        let kept = async {
            let location: Location = planned.place.parse()?;
            let file = media.into_file()?;
            let mut report = self.verify(planned, &file).await?;
            report.warnings.extend(misnamed(&location.key, Some(file.format())));
            let blob = file.blob().clone();
            (report.sha256, report.md5) = self.cx.cpu(move |cx| checksums(&blob, cx)).await?;
            let (put, precondition) = (&planned.put, planned.precondition.clone());
            let staged = self.stage(&report, file.blob(), put, precondition).await?;
            Ok((report, staged))
        };
        stopping(self.cx, kept).await.map_err(|e: Error| e.with("output", &planned.place))
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
        let staged = storage.stage(&location.key, blob, &options, &ticket).await?;
        Ok(StagedOutput::new(report, ticket, precondition, staged))
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
