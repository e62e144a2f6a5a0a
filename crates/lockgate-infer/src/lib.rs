//! ONNX execution for tabular models: linear models, tree ensembles, scalers, imputers, encoders,
//! bags of words and the few standard operators around them, by an evaluator of our own; neural
//! graphs through rten. Memory-safe, no C++.
//!
//! Invariants: a model with an operator, an attribute or a type that is not understood is refused
//! when it is loaded, not when it answers; no input makes evaluation panic or allocate without
//! bound; external data is refused. Spec: <https://onnx.ai/onnx/operators/>.

mod model;
#[cfg(feature = "neural")]
mod neural;
pub mod onnx;
mod ops;
mod tensor;
mod text;
mod tree;

pub use model::{Feature, FeatureKind, Model, Prediction};
pub use tensor::{Data, Tensor};
