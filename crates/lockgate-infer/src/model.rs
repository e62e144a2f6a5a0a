//! A model: its inputs, and its operators in the order of the graph.

use std::collections::HashMap;

use lockgate_core::{Failure, Result, limits};
use prost::Message as _;

use crate::{
    onnx::{self, ModelProto},
    ops::Op,
    tensor::{Data, Tensor},
};

const NODES_MAX: usize = 10_000;
const ROWS_MAX: usize = 1 << 20;

/// An input of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    pub name: String,
    pub kind: FeatureKind,
    /// Values a row.
    pub width: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureKind {
    Float,
    Int,
    Text,
}

impl FeatureKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Int => "int",
            Self::Text => "text",
        }
    }
}

/// A loaded model. It can answer from many threads at once.
#[derive(Clone, Debug)]
pub struct Model {
    features: Vec<Feature>,
    steps: Vec<Step>,
    constants: Vec<(usize, Tensor)>,
    slots: usize,
    outputs: Vec<(String, usize)>,
    output_features: Vec<Feature>,
    /// Takes the place of the steps.
    #[cfg(feature = "neural")]
    network: Option<crate::neural::Network>,
}

#[derive(Clone, Debug)]
struct Step {
    op: Op,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

/// What a model says about rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub outputs: Vec<(String, Tensor)>,
}

impl Prediction {
    /// For each row the probability of the last class; regression gives its value.
    pub fn positive(&self) -> Result<Vec<f32>> {
        let (_, tensor) = self
            .outputs
            .iter()
            .rfind(|(_, tensor)| matches!(tensor.data, Data::Float(_)))
            .ok_or_else(|| Failure::input("the model has no output of floats"))?;
        let (_, k) = tensor.rows();
        Ok(tensor.as_floats()?.chunks(k.max(1)).filter_map(|row| row.last().copied()).collect())
    }
}

impl Model {
    /// Loads a model and checks all of it.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        let refused = |what: &str| Failure::input(format!("the model is refused: {what}"));
        if bytes.len() as u64 > limits::MODEL_BYTES_MAX {
            return Err(refused("it is larger than 512 MiB"));
        }
        if bytes.starts_with(&[0x80]) || bytes.starts_with(b"PK") {
            return Err(
                refused("it is a pickle or an archive").hint("export it to ONNX; a pickle runs code when it is loaded")
            );
        }
        let proto = ModelProto::decode(bytes).map_err(|_| refused("it is not ONNX"))?;
        let graph = proto.graph.ok_or_else(|| refused("it has no graph"))?;
        if !proto.functions.is_empty() || graph.node.len() > NODES_MAX {
            return Err(refused("it has functions of its own, or too many operators"));
        }
        let tabular = Self::tabular(&graph);
        #[cfg(feature = "neural")]
        if tabular.is_err() && graph.node.iter().all(|node| node.domain != onnx::ML) {
            return Self::neural(bytes, &graph);
        }
        tabular
    }

    #[cfg(feature = "neural")]
    fn neural(bytes: &[u8], graph: &onnx::GraphProto) -> Result<Self> {
        let (network, features) = crate::neural::Network::load(bytes, graph)?;
        let outputs = graph.output.iter().map(|info| (info.name.clone(), 0)).collect();
        let output_features = graph.output.iter().map(output).collect();
        let (steps, constants, slots) = (Vec::new(), Vec::new(), 0);
        Ok(Self { features, steps, constants, slots, outputs, output_features, network: Some(network) })
    }

    fn tabular(graph: &onnx::GraphProto) -> Result<Self> {
        let refused = |what: &str| Failure::input(format!("the model is refused: {what}"));
        let mut slots: HashMap<String, usize> = HashMap::new();
        let mut constants = Vec::new();
        for initializer in &graph.initializer {
            let slot = slots.len();
            slots.insert(initializer.name.clone(), slot);
            constants.push((slot, Tensor::from_proto(initializer)?));
        }
        let mut features = Vec::new();
        let mut inputs = Vec::new();
        for info in graph.input.iter().filter(|info| !slots.contains_key(&info.name)) {
            inputs.push(info);
            features.push(feature(info).map_err(|f| f.at(format!("input {:?}", info.name)))?);
        }
        // Inputs come first among the values that a run sets.
        let base = slots.len();
        for (at, info) in inputs.iter().enumerate() {
            slots.insert(info.name.clone(), base + at);
        }
        let mut steps = Vec::new();
        for node in &graph.node {
            let op = Op::read(node)?;
            let inputs = node
                .input
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| {
                    slots.get(name).copied().ok_or_else(|| refused("an operator uses a value that nothing makes"))
                })
                .collect::<Result<_>>()?;
            let mut outputs = Vec::new();
            for name in &node.output {
                let slot = slots.len();
                if slots.insert(name.clone(), slot).is_some() {
                    return Err(refused("two operators make the same value"));
                }
                outputs.push(slot);
            }
            steps.push(Step { op, inputs, outputs });
        }
        let outputs = graph
            .output
            .iter()
            .map(|info| {
                slots
                    .get(&info.name)
                    .map(|slot| (info.name.clone(), *slot))
                    .ok_or_else(|| refused("nothing makes one of its outputs"))
            })
            .collect::<Result<Vec<_>>>()?;
        if outputs.is_empty() || features.is_empty() {
            return Err(refused("it has no input or no output"));
        }
        let output_features = graph.output.iter().map(output).collect();
        Ok(Self {
            features,
            steps,
            constants,
            slots: slots.len(),
            outputs,
            output_features,
            #[cfg(feature = "neural")]
            network: None,
        })
    }

    /// Whether an answer takes microseconds, so that it may be given where others wait.
    pub fn is_quick(&self) -> bool {
        !self.steps.is_empty()
    }

    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|(name, _)| name.as_str())
    }

    /// What the model answers with, as it declares it; a width of 0 is not declared.
    pub fn output_features(&self) -> &[Feature] {
        &self.output_features
    }

    /// Answers for rows; one tensor for each feature, in their order, all with as many rows.
    pub fn run(&self, inputs: Vec<Tensor>) -> Result<Prediction> {
        let rows = inputs.first().map_or(0, |tensor| tensor.rows().0);
        if rows == 0 || rows > ROWS_MAX || inputs.len() != self.features.len() {
            return Err(Failure::input(format!(
                "the model needs {} inputs of 1 to {ROWS_MAX} rows",
                self.features.len()
            )));
        }
        for (feature, tensor) in self.features.iter().zip(&inputs) {
            let kind = match tensor.data {
                Data::Float(_) => FeatureKind::Float,
                Data::Int(_) => FeatureKind::Int,
                Data::Text(_) => FeatureKind::Text,
            };
            if kind != feature.kind || tensor.rows() != (rows, feature.width) || tensor.len() != rows * feature.width {
                return Err(Failure::input(format!(
                    "input {:?} must hold {:?} values in shape [{rows}, {}]",
                    feature.name, feature.kind, feature.width
                )));
            }
        }
        #[cfg(feature = "neural")]
        if let Some(network) = &self.network {
            return Ok(Prediction { outputs: network.run(inputs)? });
        }
        let mut values: Vec<Option<Tensor>> = vec![None; self.slots];
        let base = self.constants.len();
        for (at, tensor) in inputs.into_iter().enumerate() {
            if let Some(slot) = values.get_mut(base + at) {
                *slot = Some(tensor);
            }
        }
        let constant = |slot: usize| self.constants.get(slot).map(|(_, tensor)| tensor);
        for step in &self.steps {
            let arguments = step
                .inputs
                .iter()
                .map(|slot| constant(*slot).or_else(|| values.get(*slot).and_then(Option::as_ref)))
                .collect::<Option<Vec<&Tensor>>>()
                .ok_or_else(|| Failure::bug("a value of the model was not made"))?;
            let results = step.op.run(&arguments)?;
            for (slot, tensor) in step.outputs.iter().zip(results) {
                if let Some(value) = values.get_mut(*slot) {
                    *value = Some(tensor);
                }
            }
        }
        let outputs = self
            .outputs
            .iter()
            .map(|(name, slot)| {
                let made = values.get_mut(*slot).and_then(Option::take).or_else(|| constant(*slot).cloned());
                made.map(|tensor| (name.clone(), tensor))
                    .ok_or_else(|| Failure::bug("an output of the model was not made"))
            })
            .collect::<Result<_>>()?;
        Ok(Prediction { outputs })
    }
}

fn output(info: &onnx::ValueInfo) -> Feature {
    let tensor = info.kind.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let kind = match tensor.map(|tensor| tensor.elem_type) {
        Some(onnx::INT64) => FeatureKind::Int,
        Some(onnx::STRING) => FeatureKind::Text,
        _ => FeatureKind::Float,
    };
    let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map(|shape| shape.dim.as_slice()).unwrap_or_default();
    let width = match dims {
        [_] => 1,
        [_, second] => second.dim_value.and_then(|d| usize::try_from(d).ok()).unwrap_or(0),
        _ => 0,
    };
    Feature { name: info.name.clone(), kind, width }
}

fn feature(info: &onnx::ValueInfo) -> Result<Feature> {
    let tensor = info
        .kind
        .as_ref()
        .and_then(|kind| kind.tensor_type.as_ref())
        .ok_or_else(|| Failure::input("it is not a tensor"))?;
    let kind = match tensor.elem_type {
        onnx::FLOAT => FeatureKind::Float,
        onnx::INT64 => FeatureKind::Int,
        onnx::STRING => FeatureKind::Text,
        other => return Err(Failure::input(format!("type {other} is not supported"))),
    };
    let dims = tensor.shape.as_ref().map(|shape| shape.dim.as_slice()).unwrap_or_default();
    let width = match dims {
        [_] => 1,
        [_, second] => second
            .dim_value
            .and_then(|d| usize::try_from(d).ok())
            .filter(|d| *d > 0)
            .ok_or_else(|| Failure::input("its width is not fixed"))?,
        _ => return Err(Failure::input("it must have one or two dimensions")),
    };
    Ok(Feature { name: info.name.clone(), kind, width })
}
