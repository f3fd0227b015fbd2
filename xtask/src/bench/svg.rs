//! Plots as SVG: bars for a row, lines for what grows. They are small, and show well on light and dark.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const BAR: f64 = 22.0;
const OURS: &str = "#2f7ed8";
const OTHERS: &str = "#9aa5b1";
const LIMIT: &str = "#5b8c5a";
const COLOURS: [&str; 8] =
    ["#2f7ed8", "#d9822b", "#5b8c5a", "#a94e9c", "#c0392b", "#16a0a0", "#7f8c8d", "#8e6c3a"];

/// A bar.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) kind: Kind,
}

/// Whose a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Other,
    Limit,
}

/// Bars on a logarithmic scale: a limit and a slow peer may be a thousand times apart.
pub(crate) fn bars(title: &str, unit: &str, bars: &[Bar]) -> String {
    let height = 58.0 + BAR * bars.len() as f64;
    let mut svg = head(title, height);
    let positive = || bars.iter().map(|bar| bar.value).filter(|value| *value > 0.0);
    let low = decade(positive().fold(f64::INFINITY, f64::min).min(1e12) / 1.5);
    let high = positive().fold(low * 10.0, f64::max);
    let room = WIDTH - LEFT - 110.0;
    for (index, bar) in bars.iter().enumerate() {
        let y = 36.0 + BAR * index as f64;
        let share = (bar.value.max(low) / low).ln() / (high / low).ln();
        let colour = match bar.kind {
            Kind::Ours => OURS,
            Kind::Other => OTHERS,
            Kind::Limit => LIMIT,
        };
        text(&mut svg, LEFT - 8.0, y + 12.0, "end", &bar.name);
        let width = (share * room).max(2.0);
        // A String takes everything.
        let _ = writeln!(
            svg,
            r#"<rect x="{LEFT}" y="{y:.0}" width="{width:.1}" height="{:.0}" fill="{colour}"/>"#,
            BAR - 6.0
        );
        text(&mut svg, LEFT + width + 6.0, y + 12.0, "start", &number(bar.value));
    }
    text(&mut svg, LEFT, height - 8.0, "start", &format!("{unit}; logarithmic"));
    svg + "</svg>\n"
}

/// A line of what grows: its points, by size.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines over a size, both logarithmic.
pub(crate) fn lines(title: &str, unit: &str, lines: &[Line]) -> String {
    let (height, top, bottom) = (360.0, 40.0, 310.0);
    let right = WIDTH - 170.0;
    let left = 70.0;
    let mut svg = head(title, height);
    // A logarithm has no place for nothing.
    let place = |x: f64| if x < 1.0 { 0.5 } else { x };
    let all = || lines.iter().flat_map(|line| &line.points);
    let (x0, x1) = bounds(all().map(|point| place(point.0)));
    let (y0, y1) = bounds(all().map(|point| point.1));
    let (y0, y1) = (decade(y0), y1.max(decade(y0) * 10.0));
    let at = |(x, y): (f64, f64)| {
        let across = (place(x) / x0).ln() / (x1 / x0).ln();
        let up = (y.max(y0) / y0).ln() / (y1 / y0).ln();
        (left + across * (right - left), bottom - up * (bottom - top))
    };
    let _ =
        writeln!(svg, r##"<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#888"/>"##);
    let mut mark = y0;
    while mark <= y1 {
        let (_, y) = at((x0, mark));
        let _ = writeln!(svg, r##"<path d="M{left} {y:.1}H{right}" stroke="#8884"/>"##);
        text(&mut svg, left - 6.0, y + 4.0, "end", &number(mark));
        mark *= 10.0;
    }
    let mut sizes: Vec<f64> = all().map(|point| point.0).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    for size in sizes {
        let (x, _) = at((size, y0));
        text(&mut svg, x, bottom + 16.0, "middle", &number(size));
    }
    // Names stand at the ends of their lines, and not on each other.
    let mut ends: Vec<(f64, usize)> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<(f64, f64)> = line.points.iter().map(|point| at(*point)).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            path.join(" ")
        );
        for (x, y) in &points {
            let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"#);
        }
        if let Some((_, y)) = points.last() {
            ends.push((*y, index));
        }
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = f64::NEG_INFINITY;
    for (y, index) in ends {
        let y = y.max(free);
        free = y + 15.0;
        let colour = COLOURS[index % COLOURS.len()];
        let name = lines.get(index).map_or("", |line| line.name.as_str());
        let _ = writeln!(
            svg,
            r#"<text x="{:.0}" y="{:.1}" fill="{colour}">{}</text>"#,
            right + 8.0,
            y + 4.0,
            escaped(name)
        );
    }
    text(&mut svg, left, height - 8.0, "start", &format!("{unit}; both logarithmic"));
    svg + "</svg>\n"
}

fn head(title: &str, height: f64) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<!-- Made by `cargo xtask bench`. -->\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let _ = writeln!(
        svg,
        r##"<text x="12" y="20" font-size="14" fill="#222">{}</text>"##,
        escaped(title)
    );
    svg
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        svg,
        r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="#333">{words}</text>"##
    );
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The power of ten that is not above a number.
fn decade(number: f64) -> f64 {
    10_f64.powf(number.max(1e-9).log10().floor())
}

fn bounds(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = numbers
        .filter(|number| *number > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), number| (low.min(number), high.max(number)));
    if low.is_finite() { (low, high.max(low * 1.1)) } else { (1.0, 10.0) }
}

/// A number as people write it: three digits that count, thousands apart.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value.abs() >= 1_000.0 {
        let digits = format!("{:.0}", value.abs());
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index) % 3 == 0 {
                text.push(',');
            }
            text.push(digit);
        }
        return if value < 0.0 { format!("-{text}") } else { text };
    }
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_thousands_stand_apart() {
        let cases = [
            (0.0, "0"),
            (0.123, "0.12"),
            (9.87, "9.87"),
            (45.67, "45.7"),
            (678.9, "679"),
            (1_234_567.0, "1,234,567"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(-12_345.0), "-12,345");
        assert_eq!(number(f64::NAN), "-");
    }

    #[test]
    fn a_plot_holds_every_name_and_no_number_that_is_none() {
        let bar = |name: &str, value, kind| Bar { name: name.to_owned(), value, kind };
        let drawn = bars(
            "a < b",
            "µs",
            &[
                bar("raw", 20.0, Kind::Limit),
                bar("x & y", 900.0, Kind::Other),
                bar("z", 0.0, Kind::Ours),
            ],
        );
        for part in ["a &lt; b", "raw", "x &amp; y", "900", "</svg>"] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
        let line = |name: &str, points: &[(f64, f64)]| Line {
            name: name.to_owned(),
            points: points.to_vec(),
        };
        let grown = lines(
            "t",
            "ms",
            &[line("one", &[(0.0, 1.0), (1_000.0, 3.0)]), line("two", &[(0.0, 0.0)])],
        );
        assert!(grown.contains("one") && grown.contains("1,000") && grown.contains("</svg>"));
        assert!(
            !drawn.contains("NaN") && !grown.contains("NaN") && !grown.contains("inf"),
            "{grown}"
        );
    }
}
