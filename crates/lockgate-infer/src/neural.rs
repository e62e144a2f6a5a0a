//! Graphs of standard operators that the tabular evaluator does not know, through rten.
//!
//! What the evaluator promises holds here, too: unknown operators, data outside of the file,
//! functions and subgraphs (which can loop) are refused when a model is loaded; a panic inside of
//! the runtime is a failure of one request.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use lockgate_core::{Failure, Result};
use rten::{ModelOptions, NodeId, Value, ValueOrView};
use rten_tensor::prelude::*;

use crate::{
    model::{Feature, FeatureKind},
    onnx::{self, GraphProto},
    tensor::{Data, Tensor},
};

/// `AttributeProto.AttributeType` of a graph and of graphs.
const SUBGRAPHS: [i32; 2] = [5, 10];
/// Activations are larger than inputs, so fewer rows go through at once.
const ROWS_MAX: usize = 1_024;

/// A loaded network.
#[derive(Clone)]
pub(crate) struct Network {
    model: Arc<rten::Model>,
    /// For each input its id and its dimensions without the rows.
    inputs: Vec<(NodeId, Vec<usize>)>,
    outputs: Vec<(String, NodeId)>,
}

impl Network {
    /// Loads a network and tells its inputs. `graph` is what `bytes` hold.
    pub(crate) fn load(bytes: &[u8], graph: &GraphProto) -> Result<(Self, Vec<Feature>)> {
        let refused = |what: String| Failure::input(format!("the model is refused: {what}"));
        check(graph)?;
        let loaded = catch_unwind(|| {
            let mut options = ModelOptions::with_all_ops();
            options.enable_optimization(true);
            options.load(bytes.to_vec())
        });
        let model = match loaded {
            Ok(Ok(model)) => model,
            Ok(Err(error)) => return Err(refused(error.to_string())),
            Err(_) => return Err(refused("the runtime cannot read it".into())),
        };
        let (mut inputs, mut features) = (Vec::new(), Vec::new());
        for id in model.input_ids() {
            let name = model.node_info(*id).and_then(|info| info.name().map(str::to_owned)).unwrap_or_default();
            let info = graph.input.iter().find(|info| info.name == name);
            let (kind, dims) = info.and_then(described).ok_or_else(|| {
                refused(format!("input {name:?} must hold floats or integers of fixed dimensions after the rows"))
            })?;
            features.push(Feature { name, kind, width: dims.iter().product() });
            inputs.push((*id, dims));
        }
        let outputs = model
            .output_ids()
            .iter()
            .map(|id| {
                let name = model.node_info(*id).and_then(|info| info.name().map(str::to_owned));
                (name.unwrap_or_default(), *id)
            })
            .collect();
        Ok((Self { model: Arc::new(model), inputs, outputs }, features))
    }

    pub(crate) fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<(String, Tensor)>> {
        let rows = inputs.first().map_or(0, |tensor| tensor.rows().0);
        if rows > ROWS_MAX {
            return Err(Failure::input(format!("a network answers for at most {ROWS_MAX} rows at once")));
        }
        let values = self
            .inputs
            .iter()
            .zip(inputs)
            .map(|((id, dims), tensor)| {
                let shape: Vec<usize> = std::iter::once(rows).chain(dims.iter().copied()).collect();
                Ok((*id, ValueOrView::from(value(&shape, tensor)?)))
            })
            .collect::<Result<Vec<_>>>()?;
        let ids: Vec<NodeId> = self.outputs.iter().map(|(_, id)| *id).collect();
        let failed = || Failure::input("the network cannot answer for this input");
        let results = catch_unwind(AssertUnwindSafe(|| self.model.run(values, &ids, None)))
            .map_err(|_| failed())?
            .map_err(|_| failed())?;
        self.outputs
            .iter()
            .zip(results)
            .map(|((name, _), value)| {
                let tensor = match value {
                    Value::FloatTensor(t) => Tensor::floats(t.shape().to_vec(), t.to_vec()),
                    Value::Int32Tensor(t) => {
                        Tensor::ints(t.shape().to_vec(), t.to_vec().into_iter().map(i64::from).collect())
                    }
                    _ => return Err(Failure::input("the network answers in a type that is not supported")),
                };
                Ok((name.clone(), tensor))
            })
            .collect()
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({} parameters)", self.model.total_params())
    }
}

/// What the runtime would accept and we do not.
fn check(graph: &GraphProto) -> Result<()> {
    for node in &graph.node {
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(Failure::input(format!("operator {}.{} is not supported", node.domain, node.op_type)));
        }
        for attribute in &node.attribute {
            if SUBGRAPHS.contains(&attribute.kind) {
                return Err(Failure::input(format!("operator {} holds a graph of its own", node.op_type)));
            }
            if let Some(tensor) = &attribute.t {
                Tensor::check_inside(tensor)?;
            }
        }
    }
    graph.initializer.iter().try_for_each(Tensor::check_inside)
}

fn described(info: &onnx::ValueInfo) -> Option<(FeatureKind, Vec<usize>)> {
    let tensor = info.kind.as_ref()?.tensor_type.as_ref()?;
    let kind = match tensor.elem_type {
        onnx::FLOAT => FeatureKind::Float,
        onnx::INT64 | onnx::INT32 => FeatureKind::Int,
        _ => return None,
    };
    let dims = tensor.shape.as_ref()?.dim.iter().skip(1);
    let dims = dims.map(|d| d.dim_value.and_then(|d| usize::try_from(d).ok()).filter(|d| *d > 0));
    Some((kind, dims.collect::<Option<Vec<_>>>()?))
}

fn value(shape: &[usize], tensor: Tensor) -> Result<Value> {
    let unfit = || Failure::input("an input does not have the size that the network needs");
    match tensor.data {
        Data::Float(values) => Value::from_shape(shape, values).map_err(|_| unfit()),
        Data::Int(values) => {
            let narrow: Option<Vec<i32>> = values.into_iter().map(|v| i32::try_from(v).ok()).collect();
            let narrow = narrow.ok_or_else(|| Failure::input("networks read integers of 32 bits"))?;
            Value::from_shape(shape, narrow).map_err(|_| unfit())
        }
        Data::Text(_) => Err(Failure::input("networks read no text")),
    }
}
