//! States and transitions as a drawing: SVG without colours, scripts or anything from elsewhere.
//!
//! ```text
//!             +-----------+
//!             | Submitted |--------+     each state has a layer of its own, in the order in which states are reached;
//!             +-----------+        |     a transition to the next layer is a straight arrow,
//!                   |              |
//!                   v              |
//!             +------------+       |
//!        +--> | Unverified |------ * --  those that skip layers go by lanes at the right,
//!        |    +------------+       |     those that lead back by lanes at the left.
//! ```
//!
//! Transitions with the same target and the same words share a lane; where one joins it, there is a dot, and lines that only
//! cross have none. No line crosses a state. The same states and transitions give the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::xml;

/// States and transitions.
#[derive(Clone, Debug, Default)]
pub struct Diagram {
    /// What it shows.
    pub title: String,
    /// The states; the first is that of everything new.
    pub states: Vec<String>,
    /// The transitions between them.
    pub arrows: Vec<Arrow>,
}

/// A transition.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// The state that it leaves, by its place in [`Diagram::states`].
    pub from: usize,
    /// The state that it reaches.
    pub to: usize,
    /// What it moves; empty if it moves nothing.
    pub moves: String,
}

/// Pixels from the edge of the drawing.
const MARGIN: usize = 20;
/// Height of a line of text.
const LINE: usize = 18;
/// Width of a character of the text, on the safe side.
const CHARACTER: usize = 8;
/// Between two lines that leave or reach the same side of a state.
const PORT: usize = 18;
/// Between two states, and between two lanes.
const GAP: usize = 46;
const LANE: usize = 22;
/// The length of the arrow before a state.
const HEAD: usize = 8;

/// Lines that share a lane: they have a target and their words in common.
#[derive(Debug)]
struct Lane<'d> {
    target: usize,
    moves: &'d str,
    sources: Vec<usize>,
    /// Which lane of its side, from the states outwards.
    number: usize,
}

impl Lane<'_> {
    /// The layers between which it runs.
    fn span(&self) -> (usize, usize) {
        let ends = || self.sources.iter().copied().chain([self.target]);
        (ends().min().unwrap_or_default(), ends().max().unwrap_or_default())
    }

    /// The width of its words.
    fn words(&self) -> usize {
        width(self.moves)
    }
}

/// The lanes of one side, and where each of their lines meets a state.
struct Side<'d> {
    lanes: Vec<Lane<'d>>,
    /// By layer: the lanes that a line comes from or goes to, and whether it comes in there.
    ports: BTreeMap<usize, Vec<(usize, bool)>>,
}

impl<'d> Side<'d> {
    fn new(arrows: impl Iterator<Item = (usize, usize, &'d str)>) -> Self {
        let mut shared: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
        for (from, to, moves) in arrows {
            shared.entry((to, moves)).or_default().push(from);
        }
        let lane = |((target, moves), sources)| Lane { target, moves, sources, number: 0 };
        let mut lanes: Vec<Lane<'_>> = shared.into_iter().map(lane).collect();
        // Short ones are next to the states.
        lanes.sort_by_key(|lane| {
            let (top, bottom) = lane.span();
            (bottom - top, top, lane.target)
        });
        let mut taken: Vec<Vec<(usize, usize)>> = Vec::new();
        for lane in &mut lanes {
            let (top, bottom) = lane.span();
            let is_free = |spans: &Vec<(usize, usize)>| spans.iter().all(|(t, b)| bottom < *t || *b < top);
            lane.number = taken.iter().position(is_free).unwrap_or(taken.len());
            match taken.get_mut(lane.number) {
                Some(spans) => spans.push((top, bottom)),
                None => taken.push(vec![(top, bottom)]),
            }
        }
        let mut ports: BTreeMap<usize, Vec<(usize, bool)>> = BTreeMap::new();
        for (n, lane) in lanes.iter().enumerate() {
            ports.entry(lane.target).or_default().push((n, true));
            for source in &lane.sources {
                ports.entry(*source).or_default().push((n, false));
            }
        }
        Self { lanes, ports }
    }

    fn at(&self, layer: usize) -> &[(usize, bool)] {
        self.ports.get(&layer).map(Vec::as_slice).unwrap_or_default()
    }

    /// Between the states and the first lane: room for words.
    fn stub(&self) -> usize {
        self.lanes.iter().map(Lane::words).max().unwrap_or_default() + HEAD + LANE
    }

    /// From the states to the edge.
    fn width(&self) -> usize {
        let lanes = self.lanes.iter().map(|lane| lane.number + 1).max();
        lanes.map(|lanes| self.stub() + lanes * LANE).unwrap_or_default()
    }
}

/// How wide a text is at most.
fn width(words: &str) -> usize {
    // Characters of other scripts may be twice as wide.
    words.chars().map(|c| if c.is_ascii() { CHARACTER } else { 2 * CHARACTER }).sum()
}

/// The order in which states are reached: next is one that a step leads to, which the fewest others come before.
fn layers(diagram: &Diagram) -> Vec<usize> {
    let number = diagram.states.len();
    let fits = |arrow: &&Arrow| arrow.from < number && arrow.to < number && arrow.from != arrow.to;
    let arrows: Vec<&Arrow> = diagram.arrows.iter().filter(fits).collect();
    let mut before = vec![0_usize; number];
    for arrow in &arrows {
        before[arrow.to] += 1;
    }
    let (mut order, mut is_reached, mut is_placed) = (Vec::new(), vec![false; number], vec![false; number]);
    while order.len() < number {
        let open = || (0..number).filter(|state| !is_placed[*state]);
        let reached = open().filter(|state| is_reached[*state]).min_by_key(|state| before[*state]);
        let Some(next) = reached.or_else(|| open().next()) else { break };
        is_placed[next] = true;
        order.push(next);
        for arrow in arrows.iter().filter(|arrow| arrow.from == next) {
            is_reached[arrow.to] = true;
            before[arrow.to] -= 1;
        }
    }
    order
}

/// Draws it.
pub fn draw(diagram: &Diagram) -> String {
    let order = layers(diagram);
    let layer_of = |state: usize| order.iter().position(|other| *other == state);
    let arrow = |arrow: &'_ Arrow| Some((layer_of(arrow.from)?, layer_of(arrow.to)?));
    let placed = || diagram.arrows.iter().filter_map(|it| arrow(it).map(|(from, to)| (from, to, it.moves.as_str())));
    let right = Side::new(placed().filter(|(from, to, _)| *to > *from + 1));
    let left = Side::new(placed().filter(|(from, to, _)| to < from));
    let straight: Vec<(usize, &str)> =
        placed().filter(|(from, to, _)| *to == *from + 1).map(|(f, _, m)| (f, m)).collect();
    let states: Vec<&str> = order.iter().filter_map(|state| diagram.states.get(*state).map(String::as_str)).collect();

    let box_width = states.iter().map(|name| width(name)).max().unwrap_or_default() + 3 * LINE;
    let x = MARGIN + left.width();
    let mut boxes: Vec<(usize, usize)> = Vec::new();
    let mut y = MARGIN + 4 * LINE;
    for layer in 0..states.len() {
        let ports = right.at(layer).len().max(left.at(layer).len());
        let height = (2 * LINE).max((ports + 1) * PORT);
        boxes.push((y, height));
        y += height + GAP;
    }
    let legend = width(LEGEND).max(width(&diagram.title));
    let all_width = (x + box_width + right.width() + MARGIN).max(legend + 2 * MARGIN);
    let all_height = y - if states.is_empty() { 0 } else { GAP } + MARGIN;

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all_width}\" height=\"{all_height}\" \
         viewBox=\"0 0 {all_width} {all_height}\" role=\"img\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"{first}\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"{MARGIN}\" y=\"{second}\">{LEGEND}</text>\n\
         <g fill=\"none\" stroke=\"black\">\n",
        title = escaped(&diagram.title),
        first = MARGIN + LINE,
        second = MARGIN + 2 * LINE + LINE / 2,
    );
    let mut words = String::new();
    let middle = x + box_width / 2;
    for (from, moves) in straight {
        let (top, bottom) = (boxes[from].0 + boxes[from].1, boxes[from + 1].0);
        line(&mut out, &[(middle, top), (middle, bottom)], moves);
        head(&mut out, (middle, bottom), Toward::Down);
        say(&mut words, (middle + LINE / 2, usize::midpoint(top, bottom) + 4), "start", moves);
    }
    for (side, is_right) in [(&right, true), (&left, false)] {
        let wall = if is_right { x + box_width } else { x };
        let away = |by: usize| if is_right { wall + by } else { wall - by };
        let port = |layer: usize, lane: usize, comes: bool| {
            let all = side.at(layer);
            let n = all.iter().position(|port| *port == (lane, comes)).unwrap_or_default();
            let (top, height) = boxes[layer];
            top + height * (n + 1) / (all.len() + 1)
        };
        for (n, lane) in side.lanes.iter().enumerate() {
            let trunk = away(side.stub() + lane.number * LANE);
            let end = port(lane.target, n, true);
            let mut starts: Vec<usize> = lane.sources.iter().map(|source| port(*source, n, false)).collect();
            starts.sort_unstable();
            // The farthest one is the lane, and others join it.
            let far = if is_right { starts.first() } else { starts.last() }.copied().unwrap_or(end);
            line(&mut out, &[(wall, far), (trunk, far), (trunk, end), (wall, end)], lane.moves);
            for start in starts.into_iter().filter(|start| *start != far) {
                line(&mut out, &[(wall, start), (trunk, start)], lane.moves);
                let _ = writeln!(out, "<circle cx=\"{trunk}\" cy=\"{start}\" r=\"3\" fill=\"black\"/>");
            }
            head(&mut out, (wall, end), if is_right { Toward::Left } else { Toward::Right });
            let anchor = if is_right { "start" } else { "end" };
            say(&mut words, (away(HEAD + 4), end - 4), anchor, lane.moves);
        }
    }
    for (layer, name) in states.iter().enumerate() {
        let (y, height) = boxes[layer];
        let is_last = !placed().any(|(from, ..)| from == layer);
        let is_first = order.get(layer) == Some(&0);
        let stroke = if is_first { 3 } else { 1 };
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{box_width}\" height=\"{height}\" rx=\"6\" fill=\"white\" \
             stroke-width=\"{stroke}\"/>"
        );
        if is_last {
            let (x, y, width, height) = (x + 4, y + 4, box_width - 8, height - 8);
            let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>");
        }
        say(&mut words, (middle, y + height / 2 + 5), "middle", name);
    }
    out + "</g>\n" + &words + "</svg>\n"
}

/// What the lines mean, without a colour.
const LEGEND: &str = "Solid: packages move. Dashed: nothing moves. Thick: the initial state. Double: final states.";

fn line(out: &mut String, through: &[(usize, usize)], moves: &str) {
    let points: Vec<String> = through.iter().map(|(x, y)| format!("{x},{y}")).collect();
    let dash = if moves.is_empty() { " stroke-dasharray=\"5 4\"" } else { "" };
    let _ = writeln!(out, "<polyline points=\"{}\"{dash}/>", points.join(" "));
}

/// Where an arrow points.
#[derive(Clone, Copy)]
enum Toward {
    Down,
    Left,
    Right,
}

fn head(out: &mut String, (x, y): (usize, usize), toward: Toward) {
    let half = HEAD / 2;
    let [a, b] = match toward {
        Toward::Down => [(x - half, y - HEAD), (x + half, y - HEAD)],
        Toward::Left => [(x + HEAD, y - half), (x + HEAD, y + half)],
        Toward::Right => [(x - HEAD, y - half), (x - HEAD, y + half)],
    };
    let _ = writeln!(out, "<polygon points=\"{x},{y} {},{} {},{}\" fill=\"black\"/>", a.0, a.1, b.0, b.1);
}

fn say(out: &mut String, (x, y): (usize, usize), anchor: &str, words: &str) {
    if !words.is_empty() {
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>", escaped(words));
    }
}

/// Text as XML has it.
fn escaped(words: &str) -> String {
    let mut out = Vec::new();
    xml::text(&mut out, words);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram(states: &[&str], arrows: &[(usize, usize, &str)]) -> Diagram {
        Diagram {
            title: "a <procedure> & more".to_owned(),
            states: states.iter().map(|state| (*state).to_owned()).collect(),
            arrows: arrows
                .iter()
                .map(|(from, to, moves)| Arrow { from: *from, to: *to, moves: (*moves).into() })
                .collect(),
        }
    }

    #[test]
    fn states_stand_in_the_order_in_which_they_are_reached() {
        // The last one is reached from everywhere, and stands in the middle of the table.
        let arrows = [(0, 1, ""), (1, 3, ""), (3, 1, ""), (0, 2, ""), (1, 2, ""), (3, 2, "")];
        assert_eq!(layers(&diagram(&["new", "tested", "rejected", "used"], &arrows)), [0, 1, 3, 2]);
        // What cannot be reached, and arrows to nowhere.
        assert_eq!(layers(&diagram(&["a", "b", "c"], &[(0, 2, ""), (1, 1, ""), (2, 9, "")])), [0, 2, 1]);
        assert_eq!(layers(&Diagram::default()), [0; 0]);
    }

    #[test]
    fn what_people_have_named_is_text() {
        let svg = draw(&diagram(&["<script>alert(1)</script>", "a & b\u{0}\u{1b}"], &[(0, 1, "x \"->\" <y>")]));
        assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !svg.contains("<script"), "{svg}");
        assert!(svg.contains("a &amp; b") && !svg.contains(['\u{0}', '\u{1b}']), "{svg}");
        assert!(svg.contains("&lt;y&gt;</text>"), "{svg}");
    }

    #[test]
    fn nothing_gives_an_empty_drawing() {
        assert!(draw(&Diagram::default()).ends_with("</svg>\n"));
    }

    /// The points of a line.
    type Line = Vec<(usize, usize)>;

    /// The corners of each state, and each line.
    fn drawn(svg: &str) -> (Vec<[usize; 4]>, Vec<Line>) {
        let value = |line: &str, key: &str| -> usize {
            let (_, rest) = line.split_once(&format!(" {key}=\"")).expect("it is there");
            rest.split('"').next().and_then(|text| text.parse().ok()).expect("a number")
        };
        let boxes = svg.lines().filter(|line| line.starts_with("<rect x")).map(|line| {
            let [x, y, w, h] = ["x", "y", "width", "height"].map(|key| value(line, key));
            [x, y, x + w, y + h]
        });
        let points = |line: &str| {
            let inside = line.split('"').nth(1).expect("points").split(' ');
            let point = |text: &str| text.split_once(',').map(|(x, y)| (x.parse().expect("x"), y.parse().expect("y")));
            inside.filter_map(point).collect()
        };
        let lines = svg.lines().filter(|line| line.starts_with("<polyline")).map(points);
        (boxes.collect(), lines.collect())
    }

    /// Whether a line goes through the inside of a state.
    fn crosses([left, top, right, bottom]: [usize; 4], line: &[(usize, usize)]) -> bool {
        line.windows(2).any(|pair| {
            let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
            ax.max(bx) > left && ax.min(bx) < right && ay.max(by) > top && ay.min(by) < bottom
        })
    }

    proptest::proptest! {
        /// Lines end at states, and go through none.
        #[test]
        fn no_line_goes_through_a_state(arrows in proptest::collection::vec((0_usize..7, 0_usize..7, 0_usize..3), 0..30)) {
            let words = ["", "a -> b", "withdrawn"];
            let mut arrows: Vec<_> = arrows.into_iter().filter(|(a, b, _)| a != b).map(|(a, b, w)| (a, b, words[w])).collect();
            arrows.sort_unstable();
            arrows.dedup_by_key(|(a, b, _)| (*a, *b));
            let svg = draw(&diagram(&["new", "b", "c c c", "d", "e", "f", "g"], &arrows));
            let (boxes, lines) = drawn(&svg);
            proptest::prop_assert_eq!(lines.len(), arrows.len());
            for line in &lines {
                proptest::prop_assert!(boxes.iter().all(|one| !crosses(*one, line)), "{:?} in {}", line, svg);
            }
        }
    }
}
