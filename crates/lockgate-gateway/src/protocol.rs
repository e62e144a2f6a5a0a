//! Bodies of the Open Inference Protocol v2: read whole, held against the model's inputs, and
//! turned into tensors; and the other way round.

use std::fmt;

use lockgate_core::{Failure, Result};
use lockgate_infer::{Data, Feature, FeatureKind, Model, Prediction, Tensor};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::Endpoint;

/// `data` may be flat or nested as its shape.
const NESTING_MAX: usize = 3;
const TEXT_BYTES_MAX: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    id: Option<String>,
    #[serde(borrow, rename = "parameters")]
    _parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    inputs: Vec<Input<'a>>,
    #[serde(borrow, default)]
    outputs: Vec<Wanted<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input<'a> {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(borrow, rename = "parameters")]
    _parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted<'a> {
    name: String,
    #[serde(borrow, rename = "parameters")]
    _parameters: Option<&'a RawValue>,
}

/// A request that fits the model.
#[derive(Debug)]
pub(crate) struct Inference {
    pub id: Option<String>,
    pub inputs: Vec<Tensor>,
    pub rows: usize,
    /// Names of outputs; all when empty.
    pub outputs: Vec<String>,
}

/// Reads a request for `model`; a hidden output is one that is not there. Messages name inputs and
/// positions, never values.
pub(crate) fn read(body: &[u8], model: &Model, hidden: &[String], rows_max: usize) -> Result<Inference> {
    let request: Request<'_> = serde_json::from_slice(body).map_err(|e| malformed("the body", &e))?;
    if request.id.as_ref().is_some_and(|id| id.len() > 256) {
        return Err(Failure::input("the id is longer than 256 bytes"));
    }
    let visible = || model.outputs().filter(|output| !hidden.iter().any(|h| h == output));
    if request.outputs.iter().any(|wanted| !visible().any(|output| output == wanted.name)) {
        let names: Vec<&str> = visible().collect();
        return Err(Failure::input(format!("the model's outputs are {}", names.join(", "))));
    }
    let mut rows = None;
    let mut inputs = Vec::with_capacity(model.features().len());
    for feature in model.features() {
        let mut named = request.inputs.iter().filter(|input| input.name == feature.name);
        let (Some(input), None) = (named.next(), named.next()) else {
            return Err(Failure::input(format!("input {:?} must be there once", feature.name)));
        };
        let tensor = tensor(feature, input, *rows.get_or_insert(input.shape.first().copied().unwrap_or(0)), rows_max)
            .map_err(|failure| failure.at(format!("input {:?}", feature.name)))?;
        inputs.push(tensor);
    }
    if request.inputs.len() != inputs.len() {
        return Err(Failure::input(format!(
            "the model has {} inputs, the request {}",
            inputs.len(),
            request.inputs.len()
        ))
        .hint("GET /v2/models/NAME lists them"));
    }
    let outputs = request.outputs.into_iter().map(|output| output.name).collect();
    Ok(Inference { id: request.id, inputs, rows: rows.unwrap_or(0), outputs })
}

fn tensor(feature: &Feature, input: &Input<'_>, rows: usize, rows_max: usize) -> Result<Tensor> {
    let fits = match input.shape.as_slice() {
        [n] => feature.width == 1 && *n == rows,
        // A network's input may have more dimensions; the model knows which.
        [n, rest @ ..] => {
            let width = rest.iter().try_fold(1usize, |all, dim| all.checked_mul(*dim));
            width == Some(feature.width) && *n == rows
        }
        [] => false,
    };
    if !fits || rows == 0 || rows > rows_max {
        let shape =
            if feature.width == 1 { "[rows] or [rows, 1]".into() } else { format!("[rows, {}]", feature.width) };
        return Err(Failure::input(format!(
            "the shape must be {shape}, with the same 1 to {rows_max} rows everywhere"
        )));
    }
    let size = rows * feature.width;
    let shape = vec![rows, feature.width];
    Ok(match (feature.kind, input.datatype.as_str()) {
        (FeatureKind::Float, "FP32" | "FP64") => Tensor::floats(shape, flat(input.data, size)?),
        (FeatureKind::Int, "INT64" | "INT32" | "INT16" | "INT8") => Tensor::ints(shape, flat(input.data, size)?),
        (FeatureKind::Text, "BYTES") => Tensor::texts(shape, flat(input.data, size)?),
        (kind, _) => return Err(Failure::input(format!("the datatype must be {}", datatype(kind)))),
    })
}

fn datatype(kind: FeatureKind) -> &'static str {
    match kind {
        FeatureKind::Float => "FP32",
        FeatureKind::Int => "INT64",
        FeatureKind::Text => "BYTES",
    }
}

fn malformed(what: &str, error: &serde_json::Error) -> Failure {
    let why = if error.is_data() { "is not what the protocol asks for" } else { "is not JSON" };
    Failure::input(format!("{what} {why} at line {}, column {}", error.line(), error.column()))
}

/// A value that `data` may hold.
trait Element: Sized {
    const NAMED: &'static str;
    fn number(value: f64) -> Option<Self>;
    fn integer(value: i64) -> Option<Self>;
    fn text(value: &str) -> Option<Self>;
    fn missing() -> Option<Self>;
}

impl Element for f32 {
    const NAMED: &'static str = "numbers";
    fn number(value: f64) -> Option<Self> {
        let narrow = value as f32;
        narrow.is_finite().then_some(narrow)
    }
    fn integer(value: i64) -> Option<Self> {
        Some(value as f32)
    }
    fn text(_: &str) -> Option<Self> {
        None
    }
    /// Models read a missing number as NaN, which JSON cannot write.
    fn missing() -> Option<Self> {
        Some(f32::NAN)
    }
}

impl Element for i64 {
    const NAMED: &'static str = "whole numbers";
    fn number(_: f64) -> Option<Self> {
        None
    }
    fn integer(value: i64) -> Option<Self> {
        Some(value)
    }
    fn text(_: &str) -> Option<Self> {
        None
    }
    fn missing() -> Option<Self> {
        None
    }
}

impl Element for String {
    const NAMED: &'static str = "texts";
    fn number(_: f64) -> Option<Self> {
        None
    }
    fn integer(_: i64) -> Option<Self> {
        None
    }
    fn text(value: &str) -> Option<Self> {
        (value.len() <= TEXT_BYTES_MAX).then(|| value.to_owned())
    }
    fn missing() -> Option<Self> {
        None
    }
}

fn flat<T: Element>(data: &RawValue, size: usize) -> Result<Vec<T>> {
    // The body is in memory already, so what it claims to hold cannot ask for more than it is.
    let mut out = Vec::with_capacity(size.min(data.get().len()));
    let mut deserializer = serde_json::Deserializer::from_str(data.get());
    Flat { out: &mut out, size, depth: 0 }.deserialize(&mut deserializer).map_err(|e| {
        Failure::input(format!(
            "data must hold {size} {}; something else is at line {}, column {} of it",
            T::NAMED,
            e.line(),
            e.column()
        ))
    })?;
    if out.len() != size {
        return Err(Failure::input(format!("the shape asks for {size} values, data has {}", out.len())));
    }
    Ok(out)
}

struct Flat<'o, T> {
    out: &'o mut Vec<T>,
    size: usize,
    depth: usize,
}

impl<T: Element> Flat<'_, T> {
    fn push<E: serde::de::Error>(self, value: Option<T>) -> Result<(), E> {
        if self.depth == 0 || self.out.len() == self.size {
            return Err(E::custom("not a list of that size"));
        }
        self.out.push(value.ok_or_else(|| E::custom("not a value of that type"))?);
        Ok(())
    }
}

impl<'de, T: Element> DeserializeSeed<'de> for Flat<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Element> Visitor<'de> for Flat<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.depth == NESTING_MAX {
            return Err(A::Error::custom("nested too deeply"));
        }
        while seq.next_element_seed(Flat { out: &mut *self.out, size: self.size, depth: self.depth + 1 })?.is_some() {}
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.push(T::number(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.push(T::integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.push(i64::try_from(value).ok().and_then(T::integer))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.push(T::text(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.push(T::missing())
    }
}

/// Metadata of a model, as `GET /v2/models/NAME` gives it.
#[derive(Serialize)]
pub(crate) struct Metadata<'m> {
    name: &'m str,
    versions: [String; 1],
    platform: &'static str,
    inputs: Vec<Described<'m>>,
    outputs: Vec<Described<'m>>,
    parameters: serde_json::Value,
}

#[derive(Serialize)]
struct Described<'m> {
    name: &'m str,
    datatype: &'static str,
    shape: [i64; 2],
}

pub(crate) fn describe<'m>(endpoint: &'m Endpoint, hidden: &[String]) -> Metadata<'m> {
    let model = &endpoint.model;
    let inputs = model.features().iter().map(|feature| Described {
        name: &feature.name,
        datatype: datatype(feature.kind),
        shape: [-1, feature.width as i64],
    });
    let visible = model.output_features().iter().filter(|output| !hidden.contains(&output.name));
    let outputs = visible.map(|output| Described {
        name: &output.name,
        datatype: datatype(output.kind),
        shape: [-1, if output.width == 0 { -1 } else { output.width as i64 }],
    });
    Metadata {
        name: endpoint.name.as_str(),
        versions: [endpoint.version.to_string()],
        platform: "onnx",
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        parameters: serde_json::json!({"artifact": endpoint.artifact, "package": endpoint.package}),
    }
}

#[derive(Serialize)]
struct Response<'a> {
    model_name: &'a str,
    model_version: String,
    id: &'a str,
    outputs: Vec<Output<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    shape: &'a [usize],
    datatype: &'static str,
    data: Values<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values<'a> {
    Float(&'a [f32]),
    Int(&'a [i64]),
    Text(&'a [String]),
}

/// The body of an answer, with the wanted outputs that are not hidden.
pub(crate) fn write(
    endpoint: &Endpoint,
    id: &str,
    prediction: &Prediction,
    wanted: &[String],
    hidden: &[String],
) -> Result<Vec<u8>> {
    let shown = |name: &String| (wanted.is_empty() || wanted.contains(name)) && !hidden.contains(name);
    let outputs = prediction.outputs.iter().filter(|(name, _)| shown(name)).map(|(name, tensor)| {
        let (datatype, data) = match &tensor.data {
            Data::Float(v) => ("FP32", Values::Float(v)),
            Data::Int(v) => ("INT64", Values::Int(v)),
            Data::Text(v) => ("BYTES", Values::Text(v)),
        };
        Output { name, shape: &tensor.shape, datatype, data }
    });
    let response = Response {
        model_name: endpoint.name.as_str(),
        model_version: endpoint.version.to_string(),
        id,
        outputs: outputs.collect(),
    };
    serde_json::to_vec(&response).map_err(|_| Failure::bug("an answer could not be written"))
}

#[cfg(test)]
mod tests;
