//! From a node to an operator. Every attribute is checked; what is not understood is refused.

use std::collections::BTreeMap;

use lockgate_core::{Failure, Result};

use super::{Binary, Labels, Linear, Norm, Op, Post, Table, Unary};
use crate::{
    onnx::{self, NodeProto},
    tensor::{Data, Tensor},
    text,
    tree::Ensemble,
};

/// A node's attributes. What nobody asks for is an attribute that is not understood.
pub(crate) struct Attributes<'n> {
    node: &'n NodeProto,
    left: BTreeMap<&'n str, &'n onnx::AttributeProto>,
}

impl<'n> Attributes<'n> {
    pub(super) fn new(node: &'n NodeProto) -> Self {
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

    pub(super) fn float(&mut self, name: &str, default: f32) -> f32 {
        self.left.remove(name).map_or(default, |a| a.f)
    }

    fn text(&self, bytes: &[u8]) -> Result<String> {
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Failure::input(format!("{} holds text that is not UTF-8", self.node.op_type)))
    }

    pub(super) fn post(&mut self) -> Result<Post> {
        match self.string("post_transform")?.as_deref() {
            None | Some("NONE") => Ok(Post::None),
            Some("LOGISTIC") => Ok(Post::Logistic),
            Some("SOFTMAX") => Ok(Post::Softmax),
            Some(other) => Err(Failure::input(format!("post transform {other} is not supported"))),
        }
    }

    pub(super) fn labels(&mut self) -> Result<Labels> {
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

    pub(super) fn done(self, op: Op) -> Result<Op> {
        match self.left.into_keys().next() {
            None => Ok(op),
            Some(name) => Err(Failure::input(format!("attribute {name:?} of {} is not supported", self.node.op_type))),
        }
    }
}

pub(super) fn standard(name: &str, a: &mut Attributes<'_>) -> Result<Op> {
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

pub(super) fn classical(name: &str, a: &mut Attributes<'_>) -> Result<Op> {
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

pub(super) fn linear(a: &mut Attributes<'_>, targets: usize) -> Result<Linear> {
    let linear =
        Linear { coefficients: a.floats("coefficients"), intercepts: a.floats("intercepts"), targets, post: a.post()? };
    if targets == 0 || linear.coefficients.is_empty() {
        return Err(Failure::input("a linear model without coefficients"));
    }
    Ok(linear)
}

pub(super) fn label_encoder(a: &mut Attributes<'_>) -> Result<Op> {
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
