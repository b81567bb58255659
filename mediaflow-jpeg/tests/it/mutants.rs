//! Files with random damage: no panic, and no verdict laxer than that of libjpeg-turbo.

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::{Coding, Control, Jpeg};
use turbojpeg::{ScalingFactor, Subsamp};

use crate::support::{
    Made, coarse, is_harmless, our_planes, turbo_pixels, turbo_planes, turbo_verdict, with_restarts,
};

fn mutated(file: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut mutant = file.to_vec();
    for _ in 0..random.usize(1..5) {
        let at = random.usize(2..mutant.len());
        match random.u8(0..8) {
            0..=2 => mutant[at] ^= 1 << random.u8(0..8),
            3 => mutant[at] = random.u8(..),
            4 => mutant[at] = 0xFF,
            5 => drop(mutant.drain(at..(at + random.usize(1..20)).min(mutant.len()))),
            6 => mutant.insert(at, random.u8(..)),
            _ => {
                let from = random.usize(2..mutant.len());
                let part = mutant[from..(from + 16).min(mutant.len())].to_vec();
                mutant.splice(at..at, part);
            }
        }
        if mutant.len() < 4 {
            break;
        }
    }
    mutant
}

fn files() -> Vec<Vec<u8>> {
    let made = |size, subsamp, progressive| {
        Made { size, subsamp, quality: 80, optimize: progressive, progressive }.file(9)
    };
    vec![
        made((90, 70), Subsamp::Sub2x2, false),
        made((90, 70), Subsamp::None, false),
        made((90, 70), Subsamp::Sub2x1, true),
        made((90, 70), Subsamp::Gray, false),
        made((600, 500), Subsamp::Sub2x2, false),
        with_restarts((90, 70), Some(SamplingFactor::R_4_2_0), 3, false),
        with_restarts((90, 70), None, 4, true),
    ]
}

/// All coefficients of a damaged file, if there are any, are those that libjpeg-turbo reads, too.
#[test]
fn mutants_of_coefficients() {
    let mut random = fastrand::Rng::with_seed(20_261_128);
    let (control, mut taken) = (Control::new(1 << 30), 0);
    for (index, file) in files().iter().enumerate() {
        for round in 0..if file.len() > 1 << 16 { 100 } else { 1_000 } {
            let mutant = mutated(file, &mut random);
            let Ok(jpeg) = Jpeg::parse(&mutant) else { continue };
            let Ok(all) = jpeg.coefficients(&control) else { continue };
            taken += 1;
            let what = format!("file {index}, mutant {round}");
            match turbo_verdict(&mutant) {
                Err(said) if is_harmless(&said) => continue,
                verdict => assert_eq!(verdict, Ok(()), "{what}"),
            }
            for progressive in [false, true] {
                let again = all.write(progressive, &control).unwrap();
                let [one, other] =
                    [&mutant, &again].map(|file| turbo_pixels(file, ScalingFactor::ONE));
                assert!(one == other, "{what}, progressive {progressive}");
            }
        }
    }
    assert!(taken > 300, "{taken}");
}

#[test]
fn mutants() {
    let mut random = fastrand::Rng::with_seed(20_261_127);
    let (mut taken, mut all) = (0, 0);
    for (index, file) in files().iter().enumerate() {
        let count = if file.len() > 1 << 16 { 300 } else { 1_000 };
        for round in 0..count {
            let mutant = mutated(file, &mut random);
            all += 1;
            let Ok(planes) = coarse(&mutant) else { continue };
            taken += 1;
            // What its other scans say is not looked at.
            if Jpeg::parse(&mutant).unwrap().coding() == Coding::Progressive {
                continue;
            }
            let what = format!("file {index}, mutant {round}");
            match turbo_verdict(&mutant) {
                Err(said) if is_harmless(&said) => continue,
                verdict => assert_eq!(verdict, Ok(()), "{what}"),
            }
            let (ours, theirs) = (our_planes(&planes).concat(), turbo_planes(&mutant).concat());
            // What is far out of range, libjpeg takes modulo 1024, and here it is cut off.
            let differs = |(ours, theirs): (&u8, &u8)| ours != theirs && !matches!(ours, 0 | 255);
            assert_eq!(ours.len(), theirs.len(), "{what}");
            assert_eq!(ours.iter().zip(&theirs).position(differs), None, "{what}");
        }
    }
    assert!(taken > all / 50, "{taken} of {all} were taken");
}
