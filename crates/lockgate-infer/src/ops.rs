//! Operators: read from a node once, with every attribute checked, and run on tensors.

mod apply;
mod read;

use std::collections::HashMap;

use lockgate_core::{Failure, Result};

use self::apply::{
    argmax, broadcast, by_column, cast, classify_trees, concat, encode, extract, matmul, normalize, one_hot, pick,
    regress_trees, reshape, softmax,
};
pub(crate) use self::read::Attributes;
use crate::{
    onnx::{self, NodeProto},
    tensor::{Data, Tensor},
    text,
    tree::Ensemble,
};

/// An operator ready to run.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Identity,
    Constant(Tensor),
    Cast(i64),
    Concat(i64),
    Reshape,
    Flatten,
    Unary(Unary),
    Binary(Binary),
    MatMul,
    Gemm { alpha: f32, beta: f32, trans_b: bool },
    Softmax,
    ArgMax { keep_dims: bool },
    Scaler { offset: Vec<f32>, scale: Vec<f32> },
    Imputer { values: Vec<f32>, replaced: f32 },
    OneHotText { index: HashMap<String, usize>, zeros: bool },
    OneHotInt { index: HashMap<i64, usize>, zeros: bool },
    StringSplit { delimiter: String },
    CountWords(text::Counter),
    LabelEncoder { table: Table, default: Data },
    Normalizer(Norm),
    ZipMap,
    FeatureExtractor,
    LinearClassifier(Linear, Labels),
    LinearRegressor(Linear),
    TreeClassifier(Box<Ensemble>, Labels, Post),
    TreeRegressor(Box<Ensemble>, Post),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unary {
    Sigmoid,
    Relu,
    Tanh,
    Exp,
    Neg,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Norm {
    L1,
    L2,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Post {
    None,
    Logistic,
    Softmax,
}

#[derive(Clone, Debug)]
pub(crate) enum Labels {
    Int(Vec<i64>),
    Text(Vec<String>),
}

#[derive(Clone, Debug)]
pub(crate) enum Table {
    Text(HashMap<String, usize>, Data),
    Int(HashMap<i64, usize>, Data),
}

#[derive(Clone, Debug)]
pub(crate) struct Linear {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    targets: usize,
    post: Post,
}

impl Labels {
    fn len(&self) -> usize {
        match self {
            Self::Int(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    fn pick(&self, places: &[usize]) -> Tensor {
        let shape = vec![places.len()];
        match self {
            Self::Int(v) => {
                Tensor::ints(shape, places.iter().map(|p| v.get(*p).copied().unwrap_or_default()).collect())
            }
            Self::Text(v) => {
                Tensor::texts(shape, places.iter().map(|p| v.get(*p).cloned().unwrap_or_default()).collect())
            }
        }
    }
}

impl Op {
    /// Compiles a node.
    pub(crate) fn read(node: &NodeProto) -> Result<Self> {
        let mut a = Attributes::new(node);
        let op = match (node.domain.as_str(), node.op_type.as_str()) {
            ("" | "ai.onnx", name) => read::standard(name, &mut a)?,
            (onnx::ML, name) => read::classical(name, &mut a)?,
            (domain, name) => {
                return Err(Failure::input(format!("operator {domain}.{name} is not supported")));
            }
        };
        a.done(op)
    }

    /// Runs on the inputs; most operators have one output, classifiers two.
    pub(crate) fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let one = || inputs.first().copied().ok_or_else(|| Failure::input("an operator of the model lacks its input"));
        let two = || match inputs {
            [a, b, ..] => Ok((*a, *b)),
            _ => Err(Failure::input("an operator of the model lacks an input")),
        };
        Ok(match self {
            Self::Identity | Self::ZipMap => vec![one()?.clone()],
            Self::Constant(tensor) => vec![tensor.clone()],
            Self::Cast(to) => vec![cast(one()?, *to)?],
            Self::Concat(axis) => vec![concat(inputs, *axis)?],
            Self::Reshape => {
                let (tensor, shape) = two()?;
                vec![reshape(tensor, &shape.to_ints()?)?]
            }
            Self::Flatten => {
                let tensor = one()?;
                let (n, k) = tensor.rows();
                vec![Tensor { shape: vec![n, k], data: tensor.data.clone() }]
            }
            Self::Unary(unary) => {
                let tensor = one()?;
                let data = tensor.to_floats()?.into_iter().map(|x| unary.apply(x)).collect();
                vec![Tensor::floats(tensor.shape.clone(), data)]
            }
            Self::Binary(binary) => {
                let (left, right) = two()?;
                vec![broadcast(left, right, *binary)?]
            }
            Self::MatMul => {
                let (left, right) = two()?;
                vec![matmul(left, right, None, 1.0, 0.0, false)?]
            }
            Self::Gemm { alpha, beta, trans_b } => {
                let (left, right) = two()?;
                vec![matmul(left, right, inputs.get(2).copied(), *alpha, *beta, *trans_b)?]
            }
            Self::Softmax => {
                let tensor = one()?;
                let (_, k) = tensor.rows();
                let mut data = tensor.to_floats()?;
                data.chunks_mut(k.max(1)).for_each(softmax);
                vec![Tensor::floats(tensor.shape.clone(), data)]
            }
            Self::ArgMax { keep_dims } => {
                let tensor = one()?;
                let (n, k) = tensor.rows();
                let data: Vec<i64> = tensor.to_floats()?.chunks(k.max(1)).map(|row| argmax(row) as i64).collect();
                vec![Tensor::ints(if *keep_dims { vec![n, 1] } else { vec![n] }, data)]
            }
            Self::Scaler { offset, scale } => {
                vec![by_column(one()?, |x, at| (x - pick(offset, at)) * pick(scale, at))?]
            }
            Self::Imputer { values, replaced } => vec![by_column(one()?, |x, at| {
                if x == *replaced || (replaced.is_nan() && x.is_nan()) { pick(values, at) } else { x }
            })?],
            Self::StringSplit { delimiter } => text::split(one()?, delimiter)?,
            Self::CountWords(counter) => vec![counter.count(one()?)?],
            Self::OneHotText { index, zeros } => {
                let tensor = one()?;
                let Data::Text(texts) = &tensor.data else {
                    return Err(Failure::input("the model needs text here"));
                };
                vec![one_hot(tensor, texts.iter().map(|t| index.get(t).copied()), index.len(), *zeros)?]
            }
            Self::OneHotInt { index, zeros } => {
                let tensor = one()?;
                let ints: Vec<i64> = match &tensor.data {
                    Data::Int(v) => v.clone(),
                    Data::Float(v) => v.iter().map(|f| *f as i64).collect(),
                    Data::Text(_) => return Err(Failure::input("the model needs numbers here")),
                };
                vec![one_hot(tensor, ints.iter().map(|i| index.get(i).copied()), index.len(), *zeros)?]
            }
            Self::LabelEncoder { table, default } => vec![encode(one()?, table, default)?],
            Self::Normalizer(norm) => vec![normalize(one()?, *norm)?],
            Self::FeatureExtractor => {
                let (tensor, places) = two()?;
                vec![extract(tensor, &places.to_ints()?)?]
            }
            Self::LinearClassifier(linear, labels) => linear.classify(one()?, labels)?,
            Self::LinearRegressor(linear) => vec![linear.regress(one()?)?],
            Self::TreeClassifier(ensemble, labels, post) => classify_trees(ensemble, labels, *post, one()?)?,
            Self::TreeRegressor(ensemble, post) => vec![regress_trees(ensemble, *post, one()?)?],
        })
    }
}
