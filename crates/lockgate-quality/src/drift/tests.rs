use proptest::prelude::*;

use super::*;

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

#[test]
fn corrections_as_published() {
    // The example of Benjamini and Hochberg's paper, table 1, in part.
    let p = [0.01, 0.04, 0.03, 0.005];
    let close = |a: Vec<f64>, b: [f64; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(close(Correction::Bonferroni.adjust(&p), [0.04, 0.16, 0.12, 0.02]));
    assert!(close(Correction::Holm.adjust(&p), [0.03, 0.06, 0.06, 0.02]));
    assert!(close(Correction::BenjaminiHochberg.adjust(&p), [0.02, 0.04, 0.04, 0.02]));
    assert!(close(Correction::None.adjust(&p), p));
}

#[test]
fn nothing_to_compare_is_said() {
    assert!(Samples::new(&[], &[1.0]).is_none());
    assert!(Samples::new(&[2.0, 1.0], &[1.0]).is_none());
    assert!(maximum_mean_discrepancy(&[1.0, 1.0], &[1.0, 1.0]).is_none());
    let same = Samples::new(&[1.0, 1.0, 1.0, 1.0], &[1.0, 1.0]).unwrap();
    assert_eq!(same.kolmogorov_smirnov(), Measured { statistic: 0.0, p_value: Some(1.0) });
    assert_eq!(same.mann_whitney().p_value, Some(1.0));
    assert_eq!(same.wasserstein().statistic, 0.0);
}

proptest! {
    #[test]
    fn distances_are_symmetric_and_zero_between_equals(
        x in prop::collection::vec(-50i32..50, 1..40), y in prop::collection::vec(-50i32..50, 1..40)
    ) {
        let (x, y) = (sorted(x.into_iter().map(f64::from).collect()), sorted(y.into_iter().map(f64::from).collect()));
        let (there, back) = (Samples::new(&x, &y).unwrap(), Samples::new(&y, &x).unwrap());
        let own = Samples::new(&x, &x).unwrap();
        for (a, b, zero) in [
            (there.wasserstein(), back.wasserstein(), own.wasserstein()),
            (there.energy(), back.energy(), own.energy()),
            (there.kolmogorov_smirnov(), back.kolmogorov_smirnov(), own.kolmogorov_smirnov()),
        ] {
            prop_assert!((a.statistic - b.statistic).abs() < 1e-9);
            prop_assert_eq!(zero.statistic, 0.0);
            prop_assert!(a.p_value.zip(b.p_value).is_none_or(|(a, b)| (a - b).abs() < 1e-9));
        }
        let p = there.kolmogorov_smirnov().p_value.unwrap();
        prop_assert!((0.0..=1.0).contains(&p));
    }
}
