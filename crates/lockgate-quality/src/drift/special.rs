//! Distributions of test statistics that no library here has.

use std::f64::consts::PI;

/// Up to so many values Smirnov's sum is taken; beyond, the limit is as good as 1e-6 of itself.
const SMIRNOV_MAX: f64 = 20_000_000.0;

/// The probability that the one-sample Kolmogorov-Smirnov statistic of `n` values exceeds `x`.
///
/// Marsaglia, Tsang and Wang, "Evaluating Kolmogorov's distribution", where `n x^1.5` is small;
/// Pelz and Good, "Approximating the lower tail-areas of the Kolmogorov-Smirnov one-sample
/// statistic", elsewhere, as Simard and L'Ecuyer choose.
pub(crate) fn kolmogorov_sf(n: f64, x: f64) -> f64 {
    let t = n * x;
    match () {
        () if x >= 1.0 => 0.0,
        () if t <= 0.5 => 1.0,
        () if t * x >= 370.0 => 0.0,
        // Two-sided is twice one-sided where both sides at once are out of reach.
        () if (x >= 0.5 || t * x >= 2.2) && n <= SMIRNOV_MAX => 2.0 * smirnov_sf(n, x),
        () if n > SMIRNOV_MAX && t * x >= 2.2 => 2.0 * (-2.0 * t * x).exp(),
        () if n <= 100_000.0 && n * x.powf(1.5) <= 1.4 => 1.0 - marsaglia(n, x),
        () => 1.0 - pelz_good(n, x),
    }
}

/// The probability that the one-sided statistic of `n` values exceeds `x`: Smirnov's sum, each
/// term from the one before, in logarithms.
fn smirnov_sf(n: f64, x: f64) -> f64 {
    let mut term = n * (-x).ln_1p() - x.ln();
    let mut sum = term.exp();
    let last = (n * (1.0 - x)).floor();
    let mut v = 0.0;
    while v < last {
        // C(n, v) (x + v/n)^(v-1) (1 - x - v/n)^(n-v), as a ratio to the next.
        let (here, next) = (x + v / n, x + (v + 1.0) / n);
        let (left, right) = (1.0 - here, 1.0 - next);
        if right <= 0.0 {
            break;
        }
        term += ((n - v) / (v + 1.0)).ln() + v * next.ln() - (v - 1.0) * here.ln() + (n - v - 1.0) * right.ln()
            - (n - v) * left.ln();
        sum += term.exp();
        v += 1.0;
    }
    (sum * x).min(1.0)
}

fn pelz_good(n: f64, x: f64) -> f64 {
    let z = n.sqrt() * x;
    let (z2, z4, z6) = (z * z, z.powi(4), z.powi(6));
    let q = -PI * PI / 8.0 / z2;
    let (mut k0, mut k1, mut k2a, mut k2b, mut k3a, mut k3b) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    let terms = (16.0 * z / PI).ceil() as i32;
    let (pi2, pi4, pi6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    for k in (0..=terms).rev() {
        let m = f64::from(2 * k + 1);
        let m2 = m * m;
        let weight = (q * m2).exp();
        k0 += weight;
        k1 += (pi2 / 4.0 * m2 - z2) * weight;
        k2a += (6.0 * z6 + 2.0 * z4 + pi2 * (2.0 * z4 - 5.0 * z2) / 4.0 * m2 + pi4 * (1.0 - 2.0 * z2) / 16.0 * m2 * m2)
            * weight;
        k3a += (-30.0 * z6 - 90.0 * z.powi(8)
            + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
            + pi4 * (212.0 * z4 - 60.0 * z2) / 16.0 * m2 * m2
            + pi6 * (5.0 - 30.0 * z2) / 64.0 * m2 * m2 * m2)
            * weight;
    }
    for k in (1..=terms).rev() {
        let k = f64::from(k);
        let weight = (-PI * PI / 2.0 / z2 * k * k).exp();
        k2b += k * k * weight;
        k3b += (3.0 * PI * PI * k * k * z2 - pi4 * k.powi(4)) * weight;
    }
    let root = (2.0 * PI).sqrt();
    let half_root = (PI / 2.0).sqrt();
    let k0 = k0 * root / z;
    let k1 = k1 * half_root / (3.0 * z4);
    let k2 = k2a * half_root / (36.0 * z.powi(7)) - k2b * half_root * PI * PI / (18.0 * z.powi(3));
    let k3 = k3a * half_root / (3240.0 * z.powi(10)) + k3b * half_root / (108.0 * z6);
    let s = n.sqrt();
    (k0 + k1 / s + k2 / n + k3 / (n * s)).clamp(0.0, 1.0)
}

/// The exact distribution function as a power of a matrix.
fn marsaglia(n: f64, x: f64) -> f64 {
    let k = (n * x).ceil();
    let h = k - n * x;
    let size = (2.0 * k - 1.0) as usize;
    let mut matrix = vec![0.0f64; size * size];
    for i in 0..size {
        for j in 0..size {
            if i + 1 >= j {
                set(&mut matrix, size, i, j, 1.0);
            }
        }
    }
    for i in 0..size {
        let first = get(&matrix, size, i, 0) - h.powi(i as i32 + 1);
        set(&mut matrix, size, i, 0, first);
        let last = get(&matrix, size, size - 1, i) - h.powi((size - i) as i32);
        set(&mut matrix, size, size - 1, i, last);
    }
    if 2.0 * h - 1.0 > 0.0 {
        let corner = get(&matrix, size, size - 1, 0) + (2.0 * h - 1.0).powi(size as i32);
        set(&mut matrix, size, size - 1, 0, corner);
    }
    for i in 0..size {
        for j in 0..size {
            for g in 1..=(i + 1).saturating_sub(j) {
                let value = get(&matrix, size, i, j) / g as f64;
                set(&mut matrix, size, i, j, value);
            }
        }
    }
    let (power, mut exponent) = power(&matrix, size, n as u64);
    let middle = (k - 1.0) as usize;
    let mut s = get(&power, size, middle, middle);
    for i in 1..=n as u64 {
        s = s * i as f64 / n;
        if s < 1e-140 {
            s *= 1e140;
            exponent -= 140;
        }
    }
    s * 10f64.powi(exponent)
}

fn get(matrix: &[f64], size: usize, i: usize, j: usize) -> f64 {
    matrix.get(i * size + j).copied().unwrap_or(0.0)
}

fn set(matrix: &mut [f64], size: usize, i: usize, j: usize, value: f64) {
    if let Some(place) = matrix.get_mut(i * size + j) {
        *place = value;
    }
}

/// A matrix to a power, scaled by powers of ten so that it does not overflow.
fn power(matrix: &[f64], size: usize, n: u64) -> (Vec<f64>, i32) {
    if n <= 1 {
        return (matrix.to_vec(), 0);
    }
    let (half, half_exponent) = power(matrix, size, n / 2);
    let mut square = multiply(&half, &half, size);
    let mut exponent = 2 * half_exponent;
    if n % 2 == 1 {
        square = multiply(matrix, &square, size);
    }
    if get(&square, size, size / 2, size / 2) > 1e140 {
        square.iter_mut().for_each(|value| *value *= 1e-140);
        exponent += 140;
    }
    (square, exponent)
}

fn multiply(a: &[f64], b: &[f64], size: usize) -> Vec<f64> {
    let mut out = vec![0.0; size * size];
    for i in 0..size {
        for k in 0..size {
            let factor = get(a, size, i, k);
            for j in 0..size {
                let value = get(&out, size, i, j) + factor * get(b, size, k, j);
                set(&mut out, size, i, j, value);
            }
        }
    }
    out
}

/// The limit of the distribution of Cramér and von Mises (Csörgő and Faraway, "The exact and
/// asymptotic distributions of Cramér-von Mises statistics", equation 1.3).
pub(crate) fn cramer_von_mises_cdf(x: f64) -> f64 {
    let mut sum = 0.0;
    // Γ(k + 1/2) / (Γ(1/2) k!), one factor at a time.
    let mut ratio = 1.0;
    for k in 0..200u32 {
        if k > 0 {
            ratio *= (f64::from(k) - 0.5) / f64::from(k);
        }
        let y = f64::from(4 * k + 1);
        let q = y * y / (16.0 * x);
        let term = ratio * y.sqrt() * (-2.0 * q).exp() * scaled_bessel_quarter(q);
        sum += term;
        if term.abs() < 1e-17 * sum.abs() || term == 0.0 {
            break;
        }
    }
    (sum / (PI * x.sqrt())).clamp(0.0, 1.0)
}

/// `exp(y) K_{1/4}(y)`, the modified Bessel function of the second kind, by the trapezoidal rule
/// on its integral representation, which converges faster than any power (DLMF 10.32.9).
fn scaled_bessel_quarter(y: f64) -> f64 {
    // The integrand falls off with exp(-y (cosh t - 1)): 750 is beyond a double's range.
    let end = (1.0 + 750.0 / y).acosh();
    let steps = 2_000u32;
    let step = end / f64::from(steps);
    let value = |t: f64| (-y * (t.cosh() - 1.0)).exp() * (t / 4.0).cosh();
    let inner: f64 = (1..steps).map(|i| value(f64::from(i) * step)).sum();
    step * (inner + f64::midpoint(value(0.0), value(end)))
}
