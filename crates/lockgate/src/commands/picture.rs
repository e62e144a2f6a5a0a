//! Small pictures: histograms in a line of text and as bars of an SVG.

use lockgate_quality::profile::Histogram;

/// A bar of an SVG, in its user units, with what it says when pointed at.
pub struct Bar {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub title: String,
}

/// The size of a histogram's drawing.
pub const WIDTH: f64 = 320.0;
pub const HEIGHT: f64 = 90.0;

/// Counts as a line of block characters, the highest full.
pub fn sparkline(counts: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().fold(0.0, f64::max);
    counts
        .iter()
        .map(|count| {
            if *count <= 0.0 || most <= 0.0 {
                return ' ';
            }
            let place = (count / most * BLOCKS.len() as f64).ceil() as usize;
            BLOCKS.get(place.clamp(1, BLOCKS.len()) - 1).copied().unwrap_or(' ')
        })
        .collect()
}

/// A histogram's bins by density, so that wide bins do not look high.
pub fn densities(histogram: &Histogram) -> Vec<f64> {
    histogram
        .edges
        .windows(2)
        .zip(&histogram.counts)
        .map(|(edges, count)| match edges {
            [low, high] if high > low => *count as f64 / (high - low),
            _ => *count as f64,
        })
        .collect()
}

/// The bars of a histogram, each as wide as its bin.
pub fn bars(histogram: &Histogram, rows: u64) -> Vec<Bar> {
    let (Some(first), Some(last)) = (histogram.edges.first(), histogram.edges.last()) else { return Vec::new() };
    let span = if last > first { last - first } else { 1.0 };
    let densities = densities(histogram);
    let most = densities.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    histogram
        .edges
        .windows(2)
        .zip(&histogram.counts)
        .zip(densities)
        .filter_map(|((edges, count), density)| {
            let [low, high] = edges else { return None };
            let height = density / most * HEIGHT;
            let width = if last > first { (high - low) / span * WIDTH } else { WIDTH };
            Some(Bar {
                x: (low - first) / span * WIDTH,
                y: HEIGHT - height,
                width: (width - 1.0).max(0.5),
                height,
                title: format!("{} to {}: {}", number(*low), number(*high), share(*count, rows)),
            })
        })
        .collect()
}

/// The outline of a histogram as points of an SVG, on the scale of the bars of `beside`, by
/// shares.
pub fn outline(histogram: &Histogram, beside: &Histogram) -> String {
    let shares = |histogram: &Histogram| -> Vec<f64> {
        let all = histogram.counts.iter().sum::<u64>().max(1) as f64;
        densities(histogram).iter().map(|density| density / all).collect()
    };
    let most = shares(beside).into_iter().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let (Some(first), Some(last)) = (histogram.edges.first(), histogram.edges.last()) else { return String::new() };
    let span = if last > first { last - first } else { 1.0 };
    let mut points = Vec::new();
    for (edges, share) in histogram.edges.windows(2).zip(shares(histogram)) {
        let y = (1.0 - (share / most).min(1.0)) * HEIGHT;
        for edge in edges {
            points.push(format!("{:.2},{y:.2}", (edge - first) / span * WIDTH));
        }
    }
    points.join(" ")
}

/// A number in few digits.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return value.to_string();
    }
    if size != 0.0 && !(1e-3..1e9).contains(&size) {
        return format!("{value:.3e}");
    }
    if value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A count with its thousands apart.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share in percent.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let percent = part as f64 / whole as f64 * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        p if p < 10.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// A value in a table: what a terminal could take for a command replaced, the end cut off.
pub fn shortened(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { '·' } else { c }).collect();
    if clean.chars().count() <= most {
        return if clean.is_empty() { "\"\"".to_owned() } else { clean };
    }
    clean.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lines() {
        assert_eq!(sparkline(&[0.0, 1.0, 8.0, 4.0]), " ▁█▄");
        assert_eq!(sparkline(&[0.0]), " ");
        assert_eq!((number(1234.5678).as_str(), number(0.1).as_str(), number(-3.0).as_str()), ("1235", "0.1", "-3"));
        assert_eq!(number(1e-9), "1.000e-9");
        assert_eq!((grouped(1_234_567).as_str(), grouped(12).as_str()), ("1,234,567", "12"));
        assert_eq!((share(1, 3).as_str(), share(1, 100_000).as_str(), share(0, 0).as_str()), ("33 %", "<0.1 %", "–"));
    }
}
