use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics,
};

use super::items::Colours;

/// A profile for colours that are named by the code points of H.273, if they are others than those of sRGB. The curves of films are
/// taken for that of sRGB, as browsers do.
pub(super) fn profile(colours: Colours) -> Option<Vec<u8>> {
    let transfer = match colours.transfer {
        4 => TransferCharacteristics::Bt470M,
        5 => TransferCharacteristics::Bt470Bg,
        8 => TransferCharacteristics::Linear,
        _ => TransferCharacteristics::Srgb,
    };
    if matches!(colours.primaries, 1 | 2) && transfer == TransferCharacteristics::Srgb {
        return None;
    }
    let primaries = match colours.primaries {
        2 => CicpColorPrimaries::Bt709,
        primaries => u8::try_from(primaries).ok()?.try_into().ok()?,
    };
    let named = CicpProfile {
        color_primaries: primaries,
        transfer_characteristics: transfer,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    };
    let mut profile = ColorProfile::new_srgb();
    profile.update_rgb_colorimetry_from_cicp(named);
    profile.encode().ok()
}
