//! Gradient-boosted trees, fitted by perpetual on one thread with a fixed seed.

use lockgate_core::{Failure, Result};
use perpetual::{Matrix as Columns, PerpetualBooster, objective::Objective};

use crate::{
    export::{self, Graph},
    features::Matrix,
};

/// What the trees may take; the process has a limit of its own besides.
const MEMORY_GB: f32 = 2.0;

/// Trains and returns the model as ONNX.
pub(crate) fn train(matrix: &Matrix, budget: f32, seed: u64) -> Result<Vec<u8>> {
    let failed = |error: perpetual::errors::PerpetualError| Failure::input(format!("the trees did not fit: {error}"));
    // Column-major, as perpetual has it.
    let mut values = vec![0f64; matrix.values.len()];
    for (row, from) in matrix.values.chunks(matrix.width).enumerate() {
        for (column, value) in from.iter().enumerate() {
            if let Some(slot) = values.get_mut(column * matrix.rows + row) {
                *slot = f64::from(*value);
            }
        }
    }
    let targets: Vec<f64> = matrix.labels.iter().map(|l| f64::from(u8::from(*l))).collect();
    let columns = Columns::new(&values, matrix.rows, matrix.width);
    let mut booster = PerpetualBooster::default()
        .set_objective(Objective::LogLoss)
        .set_budget(budget)
        .set_num_threads(Some(1))
        .set_seed(seed)
        // A fixed figure, or the model would depend on the machine.
        .set_memory_limit(Some(MEMORY_GB));
    // Balanced weights would spoil the probabilities' calibration.
    booster.cfg.auto_class_weights = false;
    booster.fit(&columns, &targets, None, None).map_err(failed)?;
    export_trees(matrix, &booster)
}

fn export_trees(matrix: &Matrix, booster: &PerpetualBooster) -> Result<Vec<u8>> {
    let mut trees = Trees::default();
    for (number, tree) in booster.get_prediction_trees().iter().enumerate() {
        let mut ids: Vec<usize> = tree.nodes.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let node = tree.nodes.get(&id).ok_or_else(|| Failure::bug("a node vanished"))?;
            trees.push(number as i64, id as i64, node)?;
        }
    }
    let mut graph = Graph::new(&matrix.encodings);
    let features = graph.features();
    graph.node(
        "TreeEnsembleClassifier",
        export::ML,
        &[&features],
        &["label", "probabilities"],
        vec![
            export::ints("nodes_treeids", trees.tree),
            export::ints("nodes_nodeids", trees.node),
            export::ints("nodes_featureids", trees.feature),
            export::floats("nodes_values", trees.value),
            export::texts("nodes_modes", trees.mode),
            export::ints("nodes_truenodeids", trees.yes),
            export::ints("nodes_falsenodeids", trees.no),
            export::ints("nodes_missing_value_tracks_true", trees.missing),
            export::ints("class_treeids", trees.leaf_tree),
            export::ints("class_nodeids", trees.leaf_node),
            // With one class id, onnxruntime reads the score as that of the positive class.
            export::ints("class_ids", vec![0; trees.weight.len()]),
            export::floats("class_weights", trees.weight),
            export::floats("base_values", vec![booster.base_score as f32]),
            export::ints("classlabels_int64s", vec![0, 1]),
            export::text("post_transform", "LOGISTIC"),
        ],
    );
    Ok(graph.finish())
}

/// The parallel lists of the operator.
#[derive(Default)]
struct Trees {
    tree: Vec<i64>,
    node: Vec<i64>,
    feature: Vec<i64>,
    value: Vec<f32>,
    mode: Vec<&'static str>,
    yes: Vec<i64>,
    no: Vec<i64>,
    missing: Vec<i64>,
    leaf_tree: Vec<i64>,
    leaf_node: Vec<i64>,
    weight: Vec<f32>,
}

impl Trees {
    fn push(&mut self, tree: i64, id: i64, node: &perpetual::node::Node) -> Result<()> {
        self.tree.push(tree);
        self.node.push(id);
        if node.is_leaf {
            for list in [&mut self.feature, &mut self.yes, &mut self.no, &mut self.missing] {
                list.push(0);
            }
            self.value.push(0.0);
            self.mode.push("LEAF");
            self.leaf_tree.push(tree);
            self.leaf_node.push(id);
            self.weight.push(node.weight_value);
            return Ok(());
        }
        if node.left_cats.is_some() || (node.missing_node != node.left_child && node.missing_node != node.right_child) {
            return Err(Failure::bug("a tree splits in a way that ONNX cannot express"));
        }
        self.feature.push(node.split_feature as i64);
        self.value.push(round_up(node.split_value));
        self.mode.push("BRANCH_LT");
        self.yes.push(node.left_child as i64);
        self.no.push(node.right_child as i64);
        self.missing.push(i64::from(node.missing_node == node.left_child));
        Ok(())
    }
}

/// The least float that is not below `value`: for floats x, `x < value` is `x < round_up(value)`.
fn round_up(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) < value { near.next_up() } else { near }
}
