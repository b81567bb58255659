//! Files with random damage: no panic, and no verdict laxer than that of libjpeg-turbo.

use std::io::Write;

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::{Coding, Control, Failure, Jpeg};
use turbojpeg::{ScalingFactor, Subsamp};

use crate::support::{
    Made, coarse, eighth, in_scans, is_harmless, our_planes, quarter, turbo_pixels, turbo_planes,
    turbo_verdict, with_restarts,
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
        with_restarts((90, 70), Some(SamplingFactor::R_4_2_0), 3, false),
        with_restarts((90, 70), None, 4, true),
        in_scans((90, 70), SamplingFactor::F_2_2, 0),
        in_scans((90, 70), SamplingFactor::F_4_1, 5),
        // One that four lanes read takes as long as twenty others.
        made((600, 500), Subsamp::Sub2x2, false),
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
            let written = [false, true].map(|progressive| all.write(progressive, &control));
            for (way, again) in written.into_iter().chain([jpeg.bare()]).enumerate() {
                let again = again.unwrap();
                let [one, other] =
                    [&mutant, &again].map(|file| turbo_pixels(file, ScalingFactor::ONE));
                assert!(one == other, "{what}, way {way}");
            }
        }
    }
    assert!(taken > 300, "{taken}");
}

/// What became of mutants.
#[derive(Debug, Default)]
struct Counts {
    all: u32,
    taken: u32,
    damaged: u32,
    unsupported: u32,
    /// Of those that were taken, how many were compared with libjpeg-turbo, and how many it warns of beside the picture.
    compared: u32,
    warned: u32,
    halved: u32,
}

/// Looks at all ways to read a mutant.
fn look(mutant: &[u8], what: &str, counts: &mut Counts) {
    counts.all += 1;
    let read = coarse(mutant);
    // Of a progressive file more is looked at if more is wanted.
    let is_progressive = Jpeg::parse(mutant).is_ok_and(|jpeg| jpeg.coding() == Coding::Progressive);
    for other in [eighth(mutant), quarter(mutant)] {
        let same = other.as_ref().err() == read.as_ref().err();
        assert!(same || is_progressive && other.is_err(), "{what}: {:?}", other.err());
    }
    let planes = match read {
        Ok(planes) => planes,
        Err(Failure::Damaged(_)) => return counts.damaged += 1,
        Err(_) => return counts.unsupported += 1,
    };
    counts.taken += 1;
    // What its other scans say is not looked at.
    if is_progressive {
        return;
    }
    let jpeg = Jpeg::parse(mutant).unwrap();
    let ours = our_planes(&planes);
    if let Ok(Some(halves)) = jpeg.halves(0.5, &Control::new(1 << 30)) {
        let halves = [halves.upper, halves.lower].map(|half| our_planes(&coarse(&half).unwrap()));
        let joined = halves[0].iter().zip(&halves[1]).map(|(a, b)| [&a[..], b].concat());
        assert!(joined.eq(ours.iter().cloned()), "{what}, in halves");
        counts.halved += 1;
    }
    match turbo_verdict(mutant) {
        Err(said) if is_harmless(&said) => return counts.warned += 1,
        verdict => assert_eq!(verdict, Ok(()), "{what}"),
    }
    counts.compared += 1;
    let (ours, theirs) = (ours.concat(), turbo_planes(mutant).concat());
    // What is far out of range, libjpeg takes modulo 1024, and here it is cut off.
    let differs = |(ours, theirs): (&u8, &u8)| ours != theirs && !matches!(ours, 0 | 255);
    assert_eq!(ours.len(), theirs.len(), "{what}");
    assert_eq!(ours.iter().zip(&theirs).position(differs), None, "{what}");
}

/// `MEDIAFLOW_JPEG_MUTANTS` says how many, and then what became of them is told.
#[test]
fn mutants() {
    let wanted = std::env::var("MEDIAFLOW_JPEG_MUTANTS").ok().and_then(|count| count.parse().ok());
    let mut random = fastrand::Rng::with_seed(20_261_127);
    let (files, mut counts) = (files(), Counts::default());
    for number in 0..wanted.unwrap_or(6_000) {
        let large = number % 160 == 0;
        let index = if large { files.len() - 1 } else { number % (files.len() - 1) };
        let what = format!("file {index}, mutant {number}");
        look(&mutated(&files[index], &mut random), &what, &mut counts);
    }
    if wanted.is_some() {
        writeln!(std::io::stderr(), "{counts:?}").unwrap();
    }
    assert!(counts.taken > counts.all / 50, "{counts:?}");
}
