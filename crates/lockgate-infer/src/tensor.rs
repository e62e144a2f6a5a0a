//! Values: row-major tensors of floats, integers or strings.

use lockgate_core::{Failure, Result};

use crate::onnx::{self, TensorProto};

/// What a tensor holds. Doubles become floats and booleans integers when they enter.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Float(Vec<f32>),
    Int(Vec<i64>),
    Text(Vec<String>),
}

/// A tensor of any rank.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Data,
}

impl Tensor {
    pub fn floats(shape: Vec<usize>, data: Vec<f32>) -> Self {
        Self { shape, data: Data::Float(data) }
    }

    pub fn ints(shape: Vec<usize>, data: Vec<i64>) -> Self {
        Self { shape, data: Data::Int(data) }
    }

    pub fn texts(shape: Vec<usize>, data: Vec<String>) -> Self {
        Self { shape, data: Data::Text(data) }
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Float(v) => v.len(),
            Data::Int(v) => v.len(),
            Data::Text(v) => v.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows and the values of each, whatever the rank.
    pub(crate) fn rows(&self) -> (usize, usize) {
        match self.shape.as_slice() {
            [] => (1, 1),
            [n] => (*n, 1),
            [n, rest @ ..] => (*n, rest.iter().product()),
        }
    }

    /// The values as floats; text has none.
    pub(crate) fn to_floats(&self) -> Result<Vec<f32>> {
        match &self.data {
            Data::Float(v) => Ok(v.clone()),
            Data::Int(v) => Ok(v.iter().map(|i| *i as f32).collect()),
            Data::Text(_) => Err(Failure::input("a number is needed where the model has text")),
        }
    }

    pub(crate) fn as_floats(&self) -> Result<&[f32]> {
        match &self.data {
            Data::Float(v) => Ok(v),
            _ => Err(Failure::input("the model needs floats here")),
        }
    }

    pub(crate) fn to_ints(&self) -> Result<Vec<i64>> {
        match &self.data {
            Data::Int(v) => Ok(v.clone()),
            _ => Err(Failure::input("the model needs integers here")),
        }
    }

    /// Demands that a constant lies in the model itself.
    pub(crate) fn check_inside(proto: &TensorProto) -> Result<()> {
        if proto.data_location != 0 || !proto.external_data.is_empty() {
            return Err(Failure::input("the model keeps data outside of its file").hint("save it with all data inside"));
        }
        Ok(())
    }

    /// Reads a constant of the model.
    pub(crate) fn from_proto(proto: &TensorProto) -> Result<Self> {
        let broken = || Failure::input(format!("the constant {:?} of the model is malformed", proto.name));
        Self::check_inside(proto)?;
        let shape =
            proto.dims.iter().map(|d| usize::try_from(*d)).collect::<Result<Vec<_>, _>>().map_err(|_| broken())?;
        let size = shape.iter().try_fold(1usize, |all, d| all.checked_mul(*d)).ok_or_else(broken)?;
        let raw = &proto.raw_data;
        let data = match proto.data_type {
            onnx::FLOAT if raw.is_empty() => Data::Float(proto.float_data.clone()),
            onnx::FLOAT => Data::Float(raw.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            onnx::DOUBLE if raw.is_empty() => Data::Float(proto.double_data.iter().map(|d| *d as f32).collect()),
            onnx::DOUBLE => Data::Float(raw.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()),
            onnx::INT64 if raw.is_empty() => Data::Int(proto.int64_data.clone()),
            onnx::INT64 => Data::Int(raw.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect()),
            onnx::INT32 | onnx::BOOL if raw.is_empty() => {
                Data::Int(proto.int32_data.iter().map(|i| i64::from(*i)).collect())
            }
            onnx::INT32 => Data::Int(raw.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect()),
            onnx::BOOL => Data::Int(raw.iter().map(|b| i64::from(*b != 0)).collect()),
            onnx::STRING => Data::Text(
                proto
                    .string_data
                    .iter()
                    .map(|s| String::from_utf8(s.clone()))
                    .collect::<Result<_, _>>()
                    .map_err(|_| broken())?,
            ),
            other => {
                return Err(Failure::input(format!("the model holds data of type {other}, which is not supported")));
            }
        };
        let tensor = Self { shape, data };
        if tensor.len() == size { Ok(tensor) } else { Err(broken()) }
    }
}
