//! Tree ensembles of `ai.onnx.ml`: `TreeEnsembleClassifier` and `TreeEnsembleRegressor`.

use lockgate_core::{Failure, Result};

use crate::ops::Attributes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Leq,
    Lt,
    Gte,
    Gt,
    Eq,
    Neq,
}

/// An inner node or, with `left == LEAF`, a leaf whose weights start at `right`.
#[derive(Clone, Copy, Debug)]
struct Node {
    value: f32,
    feature: u32,
    left: u32,
    right: u32,
    count: u32,
    compare: Compare,
    missing_left: bool,
}

const LEAF: u32 = u32::MAX;

/// The trees of a model, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Ensemble {
    nodes: Vec<Node>,
    /// (target or class, weight), grouped by leaf.
    weights: Vec<(u32, f32)>,
    roots: Vec<u32>,
    pub(crate) targets: usize,
    pub(crate) base: Vec<f32>,
    features: usize,
    pub(crate) all_positive: bool,
    pub(crate) single_class: bool,
    average: bool,
}

impl Ensemble {
    /// `prefix` is `class` or `target`, as in the names of the attributes.
    pub(crate) fn new(attributes: &mut Attributes<'_>, prefix: &str, targets: usize) -> Result<Self> {
        let broken = |why: &str| Failure::input(format!("a tree of the model is malformed: {why}"));
        let trees = attributes.ints("nodes_treeids");
        let ids = attributes.ints("nodes_nodeids");
        let features = attributes.ints("nodes_featureids");
        let values = attributes.floats("nodes_values");
        let modes = attributes.strings("nodes_modes")?;
        let trues = attributes.ints("nodes_truenodeids");
        let falses = attributes.ints("nodes_falsenodeids");
        let missing = attributes.ints("nodes_missing_value_tracks_true");
        let _ = attributes.floats("nodes_hitrates");
        let base = attributes.floats("base_values");
        let average = match attributes.string("aggregate_function")?.as_deref() {
            None | Some("SUM") => false,
            Some("AVERAGE") => true,
            Some(other) => return Err(broken(&format!("aggregate {other}"))),
        };
        let n = ids.len();
        let same = [trees.len(), features.len(), values.len(), modes.len(), trues.len(), falses.len()];
        if n == 0 || n > (1 << 26) || same.iter().any(|len| *len != n) || !(missing.is_empty() || missing.len() == n) {
            return Err(broken("its lists differ in length"));
        }
        let mut places = std::collections::HashMap::with_capacity(n);
        for (place, (tree, id)) in trees.iter().zip(&ids).enumerate() {
            if places.insert((*tree, *id), place as u32).is_some() {
                return Err(broken("a node stands twice"));
            }
        }
        let mut ensemble = Self {
            nodes: Vec::with_capacity(n),
            weights: Vec::new(),
            roots: Vec::new(),
            targets,
            base,
            features: 0,
            all_positive: true,
            single_class: true,
            average,
        };
        let mut is_child = vec![false; n];
        for place in 0..n {
            let at = |list: &[i64]| list.get(place).copied().unwrap_or_default();
            let tree = at(&trees);
            let mut node = Node {
                value: values.get(place).copied().unwrap_or_default(),
                feature: u32::try_from(at(&features)).map_err(|_| broken("a feature is negative"))?,
                left: LEAF,
                right: 0,
                count: 0,
                compare: Compare::Leq,
                missing_left: at(&missing) != 0,
            };
            let mode = modes.get(place).map_or("", String::as_str);
            if mode != "LEAF" {
                node.compare = match mode {
                    "BRANCH_LEQ" => Compare::Leq,
                    "BRANCH_LT" => Compare::Lt,
                    "BRANCH_GTE" => Compare::Gte,
                    "BRANCH_GT" => Compare::Gt,
                    "BRANCH_EQ" => Compare::Eq,
                    "BRANCH_NEQ" => Compare::Neq,
                    other => return Err(broken(&format!("mode {other}"))),
                };
                let mut child = |id: i64| -> Result<u32> {
                    let child = *places.get(&(tree, id)).ok_or_else(|| broken("a child is missing"))?;
                    match is_child.get_mut(child as usize) {
                        // A node with two parents could close a cycle.
                        Some(seen) if !*seen => *seen = true,
                        _ => return Err(broken("a node has two parents")),
                    }
                    Ok(child)
                };
                node.left = child(at(&trues))?;
                node.right = child(at(&falses))?;
                ensemble.features = ensemble.features.max(node.feature as usize + 1);
            }
            ensemble.nodes.push(node);
        }
        ensemble.roots =
            (0..n).filter(|place| is_child.get(*place) == Some(&false)).map(|place| place as u32).collect();
        let distinct: std::collections::BTreeSet<i64> = trees.iter().copied().collect();
        if ensemble.roots.len() != distinct.len() {
            return Err(broken("a tree has no root or several"));
        }
        ensemble.read_weights(attributes, prefix, &places)?;
        Ok(ensemble)
    }

    fn read_weights(
        &mut self,
        attributes: &mut Attributes<'_>,
        prefix: &str,
        places: &std::collections::HashMap<(i64, i64), u32>,
    ) -> Result<()> {
        let broken = |why: &str| Failure::input(format!("a tree of the model is malformed: {why}"));
        let trees = attributes.ints(&format!("{prefix}_treeids"));
        let nodes = attributes.ints(&format!("{prefix}_nodeids"));
        let ids = attributes.ints(&format!("{prefix}_ids"));
        let weights = attributes.floats(&format!("{prefix}_weights"));
        if [nodes.len(), ids.len(), weights.len()].iter().any(|len| *len != trees.len()) {
            return Err(broken("its weights differ in length"));
        }
        let mut all: Vec<(u32, u32, f32)> = Vec::with_capacity(trees.len());
        for (((tree, node), id), weight) in trees.iter().zip(&nodes).zip(&ids).zip(&weights) {
            let place = *places.get(&(*tree, *node)).ok_or_else(|| broken("a weight has no leaf"))?;
            let id = u32::try_from(*id)
                .ok()
                .filter(|id| (*id as usize) < self.targets)
                .ok_or_else(|| broken("a weight has no target"))?;
            all.push((place, id, *weight));
            self.all_positive &= *weight >= 0.0;
        }
        self.single_class = all.windows(2).all(|pair| matches!(pair, [a, b] if a.1 == b.1));
        all.sort_by_key(|(place, _, _)| *place);
        for (place, id, weight) in all {
            if let Some(node) = self.nodes.get_mut(place as usize) {
                if node.left != LEAF {
                    return Err(broken("an inner node has a weight"));
                }
                if node.count == 0 {
                    node.right = self.weights.len() as u32;
                }
                node.count += 1;
            }
            self.weights.push((id, weight));
        }
        Ok(())
    }

    /// The least number of features that a row needs.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Adds the weights of one row's leaves to `scores`.
    pub(crate) fn score(&self, row: &[f32], scores: &mut [f32]) {
        for root in &self.roots {
            let mut at = *root;
            // Every step goes to a child with one parent, so the walk ends.
            while let Some(node) = self.nodes.get(at as usize) {
                if node.left == LEAF {
                    let first = node.right as usize;
                    for (target, weight) in self.weights.get(first..first + node.count as usize).unwrap_or_default() {
                        if let Some(score) = scores.get_mut(*target as usize) {
                            *score += weight;
                        }
                    }
                    break;
                }
                let value = row.get(node.feature as usize).copied().unwrap_or(f32::NAN);
                let left = match node.compare {
                    Compare::Leq => value <= node.value,
                    Compare::Lt => value < node.value,
                    Compare::Gte => value >= node.value,
                    Compare::Gt => value > node.value,
                    Compare::Eq => value == node.value,
                    Compare::Neq => value != node.value,
                } || (node.missing_left && value.is_nan());
                at = if left { node.left } else { node.right };
            }
        }
        if self.average {
            for score in scores.iter_mut() {
                *score /= self.roots.len() as f32;
            }
        }
    }
}
