//! Operators: read from a node once, with every attribute checked, and run on tensors.

use std::collections::{BTreeMap, HashMap};

use lockgate_core::{Failure, Result};

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

/// A node's attributes. What nobody asks for is an attribute that is not understood.
pub(crate) struct Attributes<'n> {
    node: &'n NodeProto,
    left: BTreeMap<&'n str, &'n onnx::AttributeProto>,
}

impl<'n> Attributes<'n> {
    fn new(node: &'n NodeProto) -> Self {
        Self { node, left: node.attribute.iter().map(|a| (a.name.as_str(), a)).collect() }
    }

    pub(crate) fn ints(&mut self, name: &str) -> Vec<i64> {
        self.left.remove(name).map(|a| a.ints.clone()).unwrap_or_default()
    }

    pub(crate) fn floats(&mut self, name: &str) -> Vec<f32> {
        self.left.remove(name).map(|a| a.floats.clone()).unwrap_or_default()
    }

    pub(crate) fn strings(&mut self, name: &str) -> Result<Vec<String>> {
        let Some(attribute) = self.left.remove(name) else {
            return Ok(Vec::new());
        };
        attribute.strings.iter().map(|s| self.text(s)).collect()
    }

    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>> {
        let Some(attribute) = self.left.remove(name) else {
            return Ok(None);
        };
        self.text(&attribute.s).map(Some)
    }

    pub(crate) fn int(&mut self, name: &str, default: i64) -> i64 {
        self.left.remove(name).map_or(default, |a| a.i)
    }

    fn float(&mut self, name: &str, default: f32) -> f32 {
        self.left.remove(name).map_or(default, |a| a.f)
    }

    fn text(&self, bytes: &[u8]) -> Result<String> {
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Failure::input(format!("{} holds text that is not UTF-8", self.node.op_type)))
    }

    fn post(&mut self) -> Result<Post> {
        match self.string("post_transform")?.as_deref() {
            None | Some("NONE") => Ok(Post::None),
            Some("LOGISTIC") => Ok(Post::Logistic),
            Some("SOFTMAX") => Ok(Post::Softmax),
            Some(other) => Err(Failure::input(format!("post transform {other} is not supported"))),
        }
    }

    fn labels(&mut self) -> Result<Labels> {
        let mut texts = self.strings("classlabels_strings")?;
        if texts.is_empty() {
            texts = self.strings("cats_strings_labels")?;
        }
        let ints = self.ints("classlabels_int64s");
        let more = self.ints("classlabels_ints");
        let labels = if texts.is_empty() { Labels::Int([ints, more].concat()) } else { Labels::Text(texts) };
        if labels.len() < 2 {
            return Err(Failure::input("a classifier needs at least two labels"));
        }
        Ok(labels)
    }

    fn done(self, op: Op) -> Result<Op> {
        match self.left.into_keys().next() {
            None => Ok(op),
            Some(name) => Err(Failure::input(format!("attribute {name:?} of {} is not supported", self.node.op_type))),
        }
    }
}

impl Op {
    /// Compiles a node.
    pub(crate) fn read(node: &NodeProto) -> Result<Self> {
        let mut a = Attributes::new(node);
        let op = match (node.domain.as_str(), node.op_type.as_str()) {
            ("" | "ai.onnx", name) => standard(name, &mut a)?,
            (onnx::ML, name) => classical(name, &mut a)?,
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

fn standard(name: &str, a: &mut Attributes<'_>) -> Result<Op> {
    Ok(match name {
        "StringSplit" => Op::StringSplit { delimiter: text::split_delimiter(a)? },
        "TfIdfVectorizer" => Op::CountWords(text::Counter::read(a)?),
        "Identity" => Op::Identity,
        "Constant" => {
            let tensor = a.left.remove("value").and_then(|v| v.t.as_ref()).map(Tensor::from_proto).transpose()?;
            Op::Constant(tensor.ok_or_else(|| Failure::input("a Constant without a tensor is not supported"))?)
        }
        "Cast" => {
            let _ = a.int("saturate", 1);
            Op::Cast(a.int("to", 0))
        }
        "Concat" => Op::Concat(a.int("axis", 1)),
        "Reshape" => {
            if a.int("allowzero", 0) != 0 {
                return Err(Failure::input("Reshape with allowzero is not supported"));
            }
            Op::Reshape
        }
        "Flatten" if a.int("axis", 1) == 1 => Op::Flatten,
        "Sigmoid" => Op::Unary(Unary::Sigmoid),
        "Relu" => Op::Unary(Unary::Relu),
        "Tanh" => Op::Unary(Unary::Tanh),
        "Exp" => Op::Unary(Unary::Exp),
        "Neg" => Op::Unary(Unary::Neg),
        "Add" => Op::Binary(Binary::Add),
        "Sub" => Op::Binary(Binary::Sub),
        "Mul" => Op::Binary(Binary::Mul),
        "Div" => Op::Binary(Binary::Div),
        "MatMul" => Op::MatMul,
        "Gemm" if a.int("transA", 0) == 0 => {
            Op::Gemm { alpha: a.float("alpha", 1.0), beta: a.float("beta", 1.0), trans_b: a.int("transB", 0) != 0 }
        }
        "Softmax" if matches!(a.int("axis", -1), -1 | 1) => Op::Softmax,
        "ArgMax" if a.int("axis", 0) == 1 && a.int("select_last_index", 0) == 0 => {
            Op::ArgMax { keep_dims: a.int("keepdims", 1) != 0 }
        }
        other => {
            return Err(Failure::input(format!("operator {other} is not supported, or not with these attributes")));
        }
    })
}

fn classical(name: &str, a: &mut Attributes<'_>) -> Result<Op> {
    Ok(match name {
        "Scaler" => Op::Scaler { offset: a.floats("offset"), scale: a.floats("scale") },
        "Imputer" => {
            let replaced = a.float("replaced_value_float", f32::NAN);
            if !a.ints("imputed_value_int64s").is_empty() {
                return Err(Failure::input("an Imputer of integers is not supported"));
            }
            let _ = a.int("replaced_value_int64", 0);
            Op::Imputer { values: a.floats("imputed_value_floats"), replaced }
        }
        "OneHotEncoder" => {
            let zeros = a.int("zeros", 1) != 0;
            let (texts, ints) = (a.strings("cats_strings")?, a.ints("cats_int64s"));
            if texts.is_empty() {
                Op::OneHotInt { index: ints.into_iter().enumerate().map(|(at, c)| (c, at)).collect(), zeros }
            } else {
                Op::OneHotText { index: texts.into_iter().enumerate().map(|(at, c)| (c, at)).collect(), zeros }
            }
        }
        "LabelEncoder" => label_encoder(a)?,
        "Normalizer" => Op::Normalizer(match a.string("norm")?.as_deref() {
            Some("L1") => Norm::L1,
            Some("L2") => Norm::L2,
            None | Some("MAX") => Norm::Max,
            Some(other) => return Err(Failure::input(format!("norm {other} is not supported"))),
        }),
        "ZipMap" => {
            // The gateway answers with tensors; the labels come from the classifier.
            let _ = (a.strings("classlabels_strings")?, a.ints("classlabels_int64s"));
            Op::ZipMap
        }
        "ArrayFeatureExtractor" => Op::FeatureExtractor,
        "LinearClassifier" => {
            let _ = a.int("multi_class", 0);
            let labels = a.labels()?;
            Op::LinearClassifier(linear(a, labels.len())?, labels)
        }
        "LinearRegressor" => {
            let targets = usize::try_from(a.int("targets", 1)).unwrap_or(1);
            Op::LinearRegressor(linear(a, targets)?)
        }
        "TreeEnsembleClassifier" => {
            let (labels, post) = (a.labels()?, a.post()?);
            Op::TreeClassifier(Box::new(Ensemble::new(a, "class", labels.len())?), labels, post)
        }
        "TreeEnsembleRegressor" => {
            let (targets, post) = (usize::try_from(a.int("n_targets", 1)).unwrap_or(1), a.post()?);
            Op::TreeRegressor(Box::new(Ensemble::new(a, "target", targets)?), post)
        }
        other => {
            return Err(Failure::input(format!("operator {}.{other} is not supported", onnx::ML)));
        }
    })
}

fn linear(a: &mut Attributes<'_>, targets: usize) -> Result<Linear> {
    let linear =
        Linear { coefficients: a.floats("coefficients"), intercepts: a.floats("intercepts"), targets, post: a.post()? };
    if targets == 0 || linear.coefficients.is_empty() {
        return Err(Failure::input("a linear model without coefficients"));
    }
    Ok(linear)
}

fn label_encoder(a: &mut Attributes<'_>) -> Result<Op> {
    let (key_texts, key_ints) = (a.strings("keys_strings")?, a.ints("keys_int64s"));
    let (texts, ints, floats) = (a.strings("values_strings")?, a.ints("values_int64s"), a.floats("values_floats"));
    let default_text = a.string("default_string")?.unwrap_or_else(|| "_Unused".into());
    let (default_int, default_float) = (a.int("default_int64", -1), a.float("default_float", -0.0));
    let (values, default) = if !texts.is_empty() {
        (Data::Text(texts), Data::Text(vec![default_text]))
    } else if !ints.is_empty() {
        (Data::Int(ints), Data::Int(vec![default_int]))
    } else {
        (Data::Float(floats), Data::Float(vec![default_float]))
    };
    let table = if key_texts.is_empty() {
        Table::Int(key_ints.into_iter().enumerate().map(|(at, k)| (k, at)).collect(), values)
    } else {
        Table::Text(key_texts.into_iter().enumerate().map(|(at, k)| (k, at)).collect(), values)
    };
    Ok(Op::LabelEncoder { table, default })
}

impl Unary {
    fn apply(self, x: f32) -> f32 {
        match self {
            Self::Sigmoid => logistic(x),
            Self::Relu => x.max(0.0),
            Self::Tanh => x.tanh(),
            Self::Exp => x.exp(),
            Self::Neg => -x,
        }
    }
}

fn logistic(x: f32) -> f32 {
    // In double precision: the reference's float version differs in the last bits only.
    (1.0 / (1.0 + (-f64::from(x)).exp())) as f32
}

fn softmax(row: &mut [f32]) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|x| *x = (*x - max).exp());
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|x| *x /= sum);
}

fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in row.iter().enumerate() {
        if Some(value) > row.get(best) {
            best = at;
        }
    }
    best
}

/// A value for each column, or one for all.
fn pick(values: &[f32], at: usize) -> f32 {
    values.get(at).or_else(|| values.first()).copied().unwrap_or_default()
}

fn by_column(tensor: &Tensor, apply: impl Fn(f32, usize) -> f32) -> Result<Tensor> {
    let (_, k) = tensor.rows();
    let data = tensor.to_floats()?.into_iter().enumerate().map(|(at, x)| apply(x, at % k.max(1))).collect();
    Ok(Tensor::floats(tensor.shape.clone(), data))
}

fn cast(tensor: &Tensor, to: i64) -> Result<Tensor> {
    let shape = tensor.shape.clone();
    let to = i32::try_from(to).unwrap_or_default();
    let unfit = || Failure::input("a value cannot be cast as the model asks");
    Ok(match (to, &tensor.data) {
        (onnx::FLOAT | onnx::DOUBLE, Data::Text(v)) => {
            Tensor::floats(shape, v.iter().map(|t| t.parse()).collect::<Result<_, _>>().map_err(|_| unfit())?)
        }
        (onnx::FLOAT | onnx::DOUBLE, _) => Tensor::floats(shape, tensor.to_floats()?),
        (onnx::BOOL, Data::Float(v)) => Tensor::ints(shape, v.iter().map(|f| i64::from(*f != 0.0)).collect()),
        (onnx::INT64 | onnx::INT32, Data::Float(v)) => Tensor::ints(shape, v.iter().map(|f| *f as i64).collect()),
        (onnx::INT64 | onnx::INT32 | onnx::BOOL, Data::Int(_)) | (onnx::STRING, Data::Text(_)) => tensor.clone(),
        (onnx::STRING, Data::Int(v)) => Tensor::texts(shape, v.iter().map(ToString::to_string).collect()),
        _ => return Err(unfit()),
    })
}

fn concat(inputs: &[&Tensor], axis: i64) -> Result<Tensor> {
    let unfit = || Failure::input("the model joins tensors that do not fit");
    let (n, _) = inputs.first().ok_or_else(unfit)?.rows();
    if !matches!(axis, 1 | -1) || inputs.iter().any(|t| t.rows().0 != n) {
        return Err(unfit());
    }
    let width: usize = inputs.iter().map(|t| t.rows().1).sum();
    if inputs.iter().all(|t| matches!(t.data, Data::Text(_))) {
        let mut data = Vec::with_capacity(n * width);
        for row in 0..n {
            for tensor in inputs {
                let (_, k) = tensor.rows();
                if let Data::Text(v) = &tensor.data {
                    data.extend(v.iter().skip(row * k).take(k).cloned());
                }
            }
        }
        return Ok(Tensor::texts(vec![n, width], data));
    }
    let mut data = vec![0f32; n * width];
    let mut at = 0;
    for tensor in inputs {
        let (_, k) = tensor.rows();
        let copy = |values: &mut dyn Iterator<Item = f32>, data: &mut [f32]| {
            for row in 0..n {
                let target = data.get_mut(row * width + at..row * width + at + k).unwrap_or_default();
                for (slot, value) in target.iter_mut().zip(&mut *values) {
                    *slot = value;
                }
            }
        };
        match &tensor.data {
            Data::Float(v) => copy(&mut v.iter().copied(), &mut data),
            Data::Int(v) => copy(&mut v.iter().map(|i| *i as f32), &mut data),
            Data::Text(_) => return Err(unfit()),
        }
        at += k;
    }
    Ok(Tensor::floats(vec![n, width], data))
}

fn reshape(tensor: &Tensor, wanted: &[i64]) -> Result<Tensor> {
    let unfit = || Failure::input("the model reshapes a tensor to a size that does not fit");
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (at, dim) in wanted.iter().enumerate() {
        shape.push(match dim {
            -1 => {
                open = Some(at);
                1
            }
            0 => *tensor.shape.get(at).ok_or_else(unfit)?,
            dim => usize::try_from(*dim).map_err(|_| unfit())?,
        });
    }
    let known = shape.iter().try_fold(1usize, |all, d| all.checked_mul(*d)).ok_or_else(unfit)?;
    if let Some(slot) = open.and_then(|at| shape.get_mut(at)) {
        *slot = tensor.len().checked_div(known).ok_or_else(unfit)?;
    }
    if shape.iter().try_fold(1usize, |all, d| all.checked_mul(*d)) != Some(tensor.len()) {
        return Err(unfit());
    }
    Ok(Tensor { shape, data: tensor.data.clone() })
}

fn broadcast(left: &Tensor, right: &Tensor, binary: Binary) -> Result<Tensor> {
    let (a, b) = (left.to_floats()?, right.to_floats()?);
    let apply = |x: f32, y: f32| match binary {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
    };
    let ((n, k), (m, l)) = (left.rows(), right.rows());
    // A vector lies along the columns, as numpy broadcasts it.
    let (m, l) = if right.shape.len() == 1 && left.shape.len() == 2 { (1, m * l) } else { (m, l) };
    let (n, k) = if left.shape.len() == 1 && right.shape.len() == 2 { (1, n * k) } else { (n, k) };
    if (n != m && n != 1 && m != 1) || (k != l && k != 1 && l != 1) {
        return Err(Failure::input("the model combines tensors that do not fit"));
    }
    let (rows, width) = (n.max(m), k.max(l));
    let mut data = Vec::with_capacity(rows * width);
    for row in 0..rows {
        for at in 0..width {
            let x = a.get((row % n.max(1)) * k + at % k.max(1)).copied().unwrap_or_default();
            let y = b.get((row % m.max(1)) * l + at % l.max(1)).copied().unwrap_or_default();
            data.push(apply(x, y));
        }
    }
    let shape = if left.shape.len() >= right.shape.len() && data.len() == left.len() {
        left.shape.clone()
    } else if data.len() == right.len() {
        right.shape.clone()
    } else {
        vec![rows, width]
    };
    Ok(Tensor::floats(shape, data))
}

fn matmul(left: &Tensor, right: &Tensor, bias: Option<&Tensor>, alpha: f32, beta: f32, trans: bool) -> Result<Tensor> {
    let unfit = || Failure::input("the model multiplies matrices that do not fit");
    let (n, k) = left.rows();
    let &[first, second] = right.shape.as_slice() else {
        return Err(unfit());
    };
    let (inner, m) = if trans { (second, first) } else { (first, second) };
    if inner != k {
        return Err(unfit());
    }
    let (a, b) = (left.to_floats()?, right.to_floats()?);
    let c = bias.map(Tensor::to_floats).transpose()?.unwrap_or_default();
    let mut data = Vec::with_capacity(n * m);
    for row in a.chunks(k.max(1)) {
        for column in 0..m {
            let sum: f32 = row
                .iter()
                .enumerate()
                .map(|(at, x)| {
                    x * b.get(if trans { column * k + at } else { at * m + column }).copied().unwrap_or_default()
                })
                .sum();
            data.push(alpha * sum + beta * pick(&c, column));
        }
    }
    Ok(Tensor::floats(vec![n, m], data))
}

fn one_hot(tensor: &Tensor, places: impl Iterator<Item = Option<usize>>, width: usize, zeros: bool) -> Result<Tensor> {
    let mut data = vec![0f32; tensor.len() * width];
    for (row, place) in places.enumerate() {
        match place {
            Some(place) => {
                if let Some(slot) = data.get_mut(row * width + place) {
                    *slot = 1.0;
                }
            }
            None if zeros => {}
            None => return Err(Failure::input("a category is unknown to the model")),
        }
    }
    let mut shape = tensor.shape.clone();
    shape.push(width);
    Ok(Tensor::floats(shape, data))
}

fn encode(tensor: &Tensor, table: &Table, default: &Data) -> Result<Tensor> {
    let (places, values): (Vec<Option<usize>>, &Data) = match (table, &tensor.data) {
        (Table::Text(index, values), Data::Text(v)) => (v.iter().map(|t| index.get(t).copied()).collect(), values),
        (Table::Int(index, values), Data::Int(v)) => (v.iter().map(|i| index.get(i).copied()).collect(), values),
        _ => {
            return Err(Failure::input("a LabelEncoder of the model gets another type than it has keys of"));
        }
    };
    let shape = tensor.shape.clone();
    Ok(match (values, default) {
        (Data::Text(v), Data::Text(d)) => Tensor::texts(
            shape,
            places.iter().map(|p| p.and_then(|p| v.get(p)).or(d.first()).cloned().unwrap_or_default()).collect(),
        ),
        (Data::Int(v), Data::Int(d)) => Tensor::ints(
            shape,
            places.iter().map(|p| p.and_then(|p| v.get(p)).or(d.first()).copied().unwrap_or_default()).collect(),
        ),
        (Data::Float(v), Data::Float(d)) => Tensor::floats(
            shape,
            places.iter().map(|p| p.and_then(|p| v.get(p)).or(d.first()).copied().unwrap_or_default()).collect(),
        ),
        _ => return Err(Failure::input("a LabelEncoder of the model is malformed")),
    })
}

fn normalize(tensor: &Tensor, norm: Norm) -> Result<Tensor> {
    let (_, k) = tensor.rows();
    let mut data = tensor.to_floats()?;
    for row in data.chunks_mut(k.max(1)) {
        let size = match norm {
            Norm::L1 => row.iter().map(|x| x.abs()).sum(),
            Norm::L2 => row.iter().map(|x| x * x).sum::<f32>().sqrt(),
            Norm::Max => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        };
        if size != 0.0 {
            row.iter_mut().for_each(|x| *x /= size);
        }
    }
    Ok(Tensor::floats(tensor.shape.clone(), data))
}

fn extract(tensor: &Tensor, places: &[i64]) -> Result<Tensor> {
    // A vector is one row: its elements are picked.
    let (n, k) = if tensor.shape.len() == 1 { (1, tensor.len()) } else { tensor.rows() };
    let mut picked = Vec::with_capacity(n * places.len());
    for row in 0..n {
        for place in places {
            let place = usize::try_from(*place)
                .ok()
                .filter(|p| *p < k)
                .ok_or_else(|| Failure::input("the model picks a feature that is not there"))?;
            picked.push(row * k + place);
        }
    }
    let shape = vec![n, places.len()];
    Ok(match &tensor.data {
        Data::Float(v) => Tensor::floats(shape, picked.iter().filter_map(|p| v.get(*p).copied()).collect()),
        Data::Int(v) => Tensor::ints(shape, picked.iter().filter_map(|p| v.get(*p).copied()).collect()),
        Data::Text(v) => Tensor::texts(shape, picked.iter().filter_map(|p| v.get(*p).cloned()).collect()),
    })
}

impl Linear {
    fn scores(&self, tensor: &Tensor, outputs: usize) -> Result<Vec<f32>> {
        let (_, k) = tensor.rows();
        if k == 0 || self.coefficients.len() != outputs * k {
            return Err(Failure::input("a linear model gets another number of features than it has coefficients"));
        }
        let values = tensor.to_floats()?;
        let mut scores = Vec::with_capacity(values.len() / k * outputs);
        for row in values.chunks(k) {
            for (at, weights) in self.coefficients.chunks(k).enumerate() {
                let dot: f32 = row.iter().zip(weights).map(|(x, w)| x * w).sum();
                scores.push(dot + self.intercepts.get(at).copied().unwrap_or_default());
            }
        }
        Ok(scores)
    }

    fn regress(&self, tensor: &Tensor) -> Result<Tensor> {
        let (n, _) = tensor.rows();
        let mut scores = self.scores(tensor, self.targets)?;
        scores.chunks_mut(self.targets).for_each(|row| apply_post(row, self.post));
        Ok(Tensor::floats(vec![n, self.targets], scores))
    }

    fn classify(&self, tensor: &Tensor, labels: &Labels) -> Result<Vec<Tensor>> {
        let (n, k) = tensor.rows();
        let single = labels.len() == 2 && self.coefficients.len() == k;
        let outputs = if single { 1 } else { labels.len() };
        let scores = self.scores(tensor, outputs)?;
        let mut all = Vec::with_capacity(n * labels.len());
        let mut picks = Vec::with_capacity(n);
        for row in scores.chunks(outputs) {
            if single {
                let score = row.first().copied().unwrap_or_default();
                picks.push(usize::from(score > 0.0));
                all.extend(two_classes(score, self.post, false));
            } else {
                picks.push(argmax(row));
                let mut row = row.to_vec();
                apply_post(&mut row, self.post);
                all.extend(row);
            }
        }
        Ok(vec![labels.pick(&picks), Tensor::floats(vec![n, labels.len()], all)])
    }
}

/// The two scores of a binary classifier that has one.
fn two_classes(score: f32, post: Post, is_probability: bool) -> [f32; 2] {
    match (is_probability, post) {
        (true, _) => [1.0 - score, score],
        (false, Post::Logistic) => [logistic(-score), logistic(score)],
        (false, Post::Softmax) => {
            let mut pair = [-score, score];
            softmax(&mut pair);
            pair
        }
        (false, Post::None) => [-score, score],
    }
}

fn apply_post(row: &mut [f32], post: Post) {
    match post {
        Post::None => {}
        Post::Logistic => row.iter_mut().for_each(|x| *x = logistic(*x)),
        Post::Softmax => softmax(row),
    }
}

fn tree_rows<'t>(ensemble: &Ensemble, tensor: &'t Tensor) -> Result<(usize, usize, std::borrow::Cow<'t, [f32]>)> {
    let (n, k) = tensor.rows();
    if k < ensemble.features() {
        return Err(Failure::input("a tree of the model needs more features than it gets"));
    }
    let values = match tensor.as_floats() {
        Ok(values) => std::borrow::Cow::Borrowed(values),
        Err(_) => std::borrow::Cow::Owned(tensor.to_floats()?),
    };
    Ok((n, k, values))
}

fn regress_trees(ensemble: &Ensemble, post: Post, tensor: &Tensor) -> Result<Tensor> {
    let (n, k, values) = tree_rows(ensemble, tensor)?;
    let mut all = vec![0f32; n * ensemble.targets];
    for (row, scores) in values.chunks(k.max(1)).zip(all.chunks_mut(ensemble.targets.max(1))) {
        ensemble.score(row, scores);
        for (at, score) in scores.iter_mut().enumerate() {
            *score += ensemble.base.get(at).copied().unwrap_or_default();
        }
        apply_post(scores, post);
    }
    Ok(Tensor::floats(vec![n, ensemble.targets], all))
}

fn classify_trees(ensemble: &Ensemble, labels: &Labels, post: Post, tensor: &Tensor) -> Result<Vec<Tensor>> {
    let (n, k, values) = tree_rows(ensemble, tensor)?;
    let classes = labels.len();
    let binary = classes == 2 && ensemble.single_class;
    let mut all = Vec::with_capacity(n * classes);
    let mut picks = Vec::with_capacity(n);
    let mut scores = vec![0f32; classes];
    for row in values.chunks(k.max(1)) {
        scores.fill(0.0);
        ensemble.score(row, &mut scores);
        if binary {
            // The reference reads the one class that has weights as the positive one.
            let base = if ensemble.base.len() == 2 { ensemble.base.get(1) } else { ensemble.base.first() };
            let score = scores.iter().sum::<f32>() + base.copied().unwrap_or_default();
            let limit = if ensemble.all_positive { 0.5 } else { 0.0 };
            picks.push(usize::from(score > limit));
            all.extend(two_classes(score, post, ensemble.all_positive));
        } else {
            for (at, score) in scores.iter_mut().enumerate() {
                *score += ensemble.base.get(at).copied().unwrap_or_default();
            }
            picks.push(argmax(&scores));
            let mut row = scores.clone();
            apply_post(&mut row, post);
            all.extend(row);
        }
    }
    Ok(vec![labels.pick(&picks), Tensor::floats(vec![n, classes], all)])
}
