//! The methods, and what each of them learned from the baseline.

use serde::Serialize;

use super::{
    copies::{Alike, Copies, Group},
    encode::{Block, Encoder, NO_CLASS, Role},
    forest::Forest,
    labels::{Classifier, Neighbours},
    mahalanobis::Scatter,
    outlier::{Numbers, Pairs, Values},
    shift::Shift,
    trigger::Triggers,
};

/// A way to find poisoned rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Far from the mean of a number.
    ZScore,
    /// Far from the median of a number.
    Mad,
    /// Outside of all numbers of the baseline.
    Range,
    /// A value that the baseline hardly has.
    RareValues,
    /// Two values that hardly go together.
    RarePairs,
    /// Numbers that do not lie as they do together.
    Mahalanobis,
    IsolationForest,
    Duplicates,
    NearDuplicates,
    /// A label that a model of the baseline is sure is another.
    ConfidentLabels,
    /// A label that the most similar rows do not have.
    Neighbours,
    /// Rare words or values that go with a label.
    Triggers,
    /// A label that comes too often where a column has some value.
    LabelShift,
    /// A source unlike the others.
    Sources,
}

impl Method {
    /// Those that score each row.
    pub(crate) const ROWS: [Self; 9] = [
        Self::ZScore,
        Self::Mad,
        Self::Range,
        Self::RareValues,
        Self::RarePairs,
        Self::Mahalanobis,
        Self::IsolationForest,
        Self::ConfidentLabels,
        Self::Neighbours,
    ];
    /// Those that score groups of rows.
    pub(crate) const GROUPS: [Self; 4] = [Self::Duplicates, Self::NearDuplicates, Self::Triggers, Self::LabelShift];

    pub fn name(self) -> &'static str {
        match self {
            Self::ZScore => "z-score",
            Self::Mad => "mad",
            Self::Range => "range",
            Self::RareValues => "rare-values",
            Self::RarePairs => "rare-pairs",
            Self::Mahalanobis => "mahalanobis",
            Self::IsolationForest => "isolation-forest",
            Self::Duplicates => "duplicates",
            Self::NearDuplicates => "near-duplicates",
            Self::ConfidentLabels => "confident-labels",
            Self::Neighbours => "neighbours",
            Self::Triggers => "triggers",
            Self::LabelShift => "label-shift",
            Self::Sources => "sources",
        }
    }

    /// What it looks at, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::ZScore => "numbers far from the mean",
            Self::Mad => "numbers far from the median",
            Self::Range => "numbers outside of the baseline's",
            Self::RareValues => "values that are new or rare",
            Self::RarePairs => "values that hardly go together",
            Self::Mahalanobis => "numbers that do not lie together as they do",
            Self::IsolationForest => "rows that few cuts set apart",
            Self::Duplicates => "the same row too often",
            Self::NearDuplicates => "almost the same row too often",
            Self::ConfidentLabels => "labels that are new, or that a model is sure are others",
            Self::Neighbours => "labels that similar rows do not have",
            Self::Triggers => "rare words and values that go with a label",
            Self::LabelShift => "labels too frequent among some rows",
            Self::Sources => "sources unlike the others",
        }
    }

    /// The least that the tail of clean scores is taken to spread by. Surprises are logarithms of
    /// probabilities, which spread by 1 / ln 10 when there is nothing to find.
    pub(crate) fn scale_min(self) -> f64 {
        match self {
            Self::Duplicates | Self::NearDuplicates | Self::LabelShift => 1.0 / std::f64::consts::LN_10,
            // Two surprises together.
            Self::Triggers => 2.0 / std::f64::consts::LN_10,
            Self::IsolationForest => 0.01,
            _ => 0.1,
        }
    }
}

/// All methods as the baseline taught them.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    numbers: Numbers,
    values: Values,
    pairs: Pairs,
    scatter: Option<Scatter>,
    forest: Forest,
    exact: Copies,
    near: Copies,
    labels: Option<LabelModels>,
}

#[derive(Clone, Debug)]
struct LabelModels {
    classifier: Classifier,
    neighbours: Neighbours,
    triggers: Triggers,
    shift: Shift,
}

impl Models {
    pub(crate) fn fit(encoder: &Encoder, fit: &Block, held_out: &Block, seed: u64) -> Self {
        let classes = encoder.classes();
        let labels = (classes > 1).then(|| {
            let mut classifier = Classifier::fit(fit, classes, seed);
            classifier.calibrate(held_out);
            let binned: Vec<bool> = encoder.features.iter().map(|feature| feature.role == Role::Number).collect();
            let shift = Shift::fit(held_out, &classifier.predict(held_out), classes);
            LabelModels {
                shift,
                classifier,
                neighbours: Neighbours::fit(fit, &binned, classes),
                triggers: Triggers::fit(encoder, fit.clone(), classes),
            }
        });
        Self {
            numbers: Numbers::fit(encoder, fit),
            values: Values::fit(encoder, fit),
            pairs: Pairs::fit(encoder, fit),
            scatter: Scatter::fit(encoder, fit, seed),
            forest: Forest::fit(encoder, fit, seed),
            exact: Copies::fit(encoder, fit, Alike::Exactly),
            near: Copies::fit(encoder, fit, Alike::Nearly),
            labels,
        }
    }

    /// What the model of the baseline says of each row; empty without labels.
    pub(crate) fn predict(&self, block: &Block) -> Vec<f32> {
        self.labels.as_ref().map(|labels| labels.classifier.predict(block)).unwrap_or_default()
    }

    /// The score of each row; `None` when the method has nothing to look at.
    pub(crate) fn rows(&self, method: Method, block: &Block, predicted: &[f32]) -> Option<Vec<f32>> {
        Some(match method {
            Method::ZScore => self.numbers.z(block),
            Method::Mad => self.numbers.mad(block),
            Method::Range => self.numbers.range(block),
            Method::RareValues => self.values.score(block),
            Method::RarePairs => self.pairs.score(block),
            Method::Mahalanobis => self.scatter.as_ref()?.score(block),
            Method::IsolationForest => self.forest.score(block),
            Method::ConfidentLabels => self.labels.as_ref()?.classifier.score(block, predicted),
            Method::Neighbours => self.labels.as_ref()?.neighbours.score(block),
            Method::Duplicates | Method::NearDuplicates | Method::Triggers | Method::LabelShift | Method::Sources => {
                return None;
            }
        })
    }

    /// The groups of rows that are one too many.
    pub(crate) fn groups(&self, method: Method, block: &Block, predicted: &[f32]) -> Option<Vec<Group>> {
        match method {
            Method::Duplicates => Some(self.exact.groups(block)),
            Method::NearDuplicates => Some(self.near.groups(block)),
            Method::Triggers => Some(self.labels.as_ref()?.triggers.groups(block, predicted)),
            Method::LabelShift => Some(self.labels.as_ref()?.shift.groups(block, predicted)),
            _ => None,
        }
    }

    /// The features that a method found the rows by.
    pub(crate) fn features(&self, method: Method, block: &Block, rows: &[usize]) -> Vec<usize> {
        match method {
            Method::ZScore | Method::Mad | Method::Range => self.numbers.columns(block, rows),
            Method::RareValues => self.values.columns(block, rows),
            Method::RarePairs => self.pairs.columns(block, rows),
            Method::Mahalanobis => self.scatter.iter().flat_map(Scatter::features).collect(),
            _ => Vec::new(),
        }
    }
}

/// How well each row's label fits, as codes: a column in which sources can differ.
pub(crate) fn fit_codes(block: &Block, predicted: &[f32], classes: usize) -> Vec<u8> {
    predicted
        .chunks(classes.max(1))
        .zip(&block.labels)
        .map(|(shares, label)| match shares.get(usize::from(*label)) {
            Some(share) if *label != NO_CLASS => 1 + (share * 7.999) as u8,
            _ => 0,
        })
        .collect()
}
