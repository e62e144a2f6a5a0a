//! Writing ONNX: one input for each column, encoders, then the model.

use lockgate_infer::onnx::{
    AttributeProto, Dim, FLOAT, GraphProto, INT64, ModelProto, NodeProto, OperatorSetId, STRING, Shape, TensorProto,
    TensorType, TypeProto, ValueInfo,
};
use prost::Message as _;

use crate::features::Encoding;

pub(crate) use lockgate_infer::onnx::ML;

/// A graph that grows node by node.
pub(crate) struct Graph {
    graph: GraphProto,
    numbers: Option<String>,
    categories: Vec<String>,
    /// The opset of the standard operators; texts need a newer one.
    opset: i64,
}

impl Graph {
    /// Inputs and encoders for `encodings`, numbers before categories.
    pub(crate) fn new(encodings: &[Encoding]) -> Self {
        let mut this = Self {
            graph: GraphProto { name: "lockgate".into(), ..GraphProto::default() },
            numbers: None,
            categories: Vec::new(),
            opset: 15,
        };
        let mut numbers = Vec::new();
        for encoding in encodings {
            let name = encoding.name();
            match encoding {
                Encoding::Number { .. } => {
                    this.graph.input.push(value(name, FLOAT, Some(1)));
                    numbers.push(name);
                }
                Encoding::OneHot { categories, .. } => {
                    this.graph.input.push(value(name, STRING, Some(1)));
                    let (hot, flat, shape) =
                        (format!("{name}:one-hot"), format!("{name}:flat"), format!("{name}:shape"));
                    let words: Vec<&str> = categories.iter().map(String::as_str).collect();
                    this.node(
                        "OneHotEncoder",
                        ML,
                        &[name],
                        &[&hot],
                        vec![texts("cats_strings", words), int("zeros", 1)],
                    );
                    this.graph.initializer.push(TensorProto {
                        dims: vec![2],
                        data_type: INT64,
                        int64_data: vec![-1, categories.len() as i64],
                        name: shape.clone(),
                        ..TensorProto::default()
                    });
                    this.node("Reshape", "", &[&hot, &shape], &[&flat], vec![]);
                    this.categories.push(flat);
                }
                Encoding::Words { vocabulary, .. } => this.words(name, vocabulary),
            }
        }
        if !numbers.is_empty() {
            this.node("Concat", "", &numbers, &["numbers"], vec![int("axis", 1)]);
            this.numbers = Some("numbers".into());
        }
        this
    }

    /// Counts words: split, one list a row, a count for each word of the vocabulary.
    fn words(&mut self, name: &str, vocabulary: &[String]) {
        let part = |what: &str| format!("{name}:{what}");
        let (split, lengths, shape, list, counts) =
            (part("split"), part("lengths"), part("shape"), part("list"), part("counts"));
        self.graph.input.push(value(name, STRING, Some(1)));
        self.node("StringSplit", "", &[name], &[&split, &lengths], vec![text("delimiter", "")]);
        self.graph.initializer.push(TensorProto {
            dims: vec![2],
            data_type: INT64,
            // The rows as they are, and all the words of each.
            int64_data: vec![0, -1],
            name: shape.clone(),
            ..TensorProto::default()
        });
        self.node("Reshape", "", &[&split, &shape], &[&list], vec![]);
        let words: Vec<&str> = vocabulary.iter().map(String::as_str).collect();
        self.node(
            "TfIdfVectorizer",
            "",
            &[&list],
            &[&counts],
            vec![
                text("mode", "TF"),
                int("min_gram_length", 1),
                int("max_gram_length", 1),
                int("max_skip_count", 0),
                ints("ngram_counts", vec![0]),
                ints("ngram_indexes", (0..vocabulary.len() as i64).collect()),
                texts("pool_strings", words),
            ],
        );
        self.categories.push(counts);
        self.opset = 20;
    }

    /// Standardizes the numbers; a missing one becomes the mean.
    pub(crate) fn scale(&mut self, means: &[f64], deviations: &[f64]) {
        let Some(numbers) = self.numbers.take() else { return };
        let means: Vec<f32> = means.iter().map(|m| *m as f32).collect();
        let scale: Vec<f32> = deviations.iter().map(|d| (1.0 / d) as f32).collect();
        self.node(
            "Imputer",
            ML,
            &[&numbers],
            &["imputed"],
            vec![floats("imputed_value_floats", means.clone()), float("replaced_value_float", f32::NAN)],
        );
        self.node("Scaler", ML, &["imputed"], &["scaled"], vec![floats("offset", means), floats("scale", scale)]);
        self.numbers = Some("scaled".into());
    }

    /// The name of the value that holds all features.
    pub(crate) fn features(&mut self) -> String {
        let parts: Vec<String> = self.numbers.iter().chain(&self.categories).cloned().collect();
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.node("Concat", "", &names, &["features"], vec![int("axis", 1)]);
        "features".into()
    }

    pub(crate) fn node(
        &mut self,
        op: &str,
        domain: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|s| (*s).to_owned()).collect(),
            output: outputs.iter().map(|s| (*s).to_owned()).collect(),
            name: format!("{op}_{}", self.graph.node.len()),
            op_type: op.to_owned(),
            attribute: attributes,
            domain: domain.to_owned(),
        });
    }

    /// The model's bytes; the same graph gives the same bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.graph.output = vec![value("label", INT64, None), value("probabilities", FLOAT, Some(2))];
        ModelProto {
            ir_version: if self.opset > 15 { 9 } else { 8 },
            producer_name: "lockgate".into(),
            graph: Some(self.graph),
            opset_import: vec![
                OperatorSetId { domain: String::new(), version: self.opset },
                OperatorSetId { domain: ML.into(), version: 3 },
            ],
            functions: vec![],
        }
        .encode_to_vec()
    }
}

/// A tensor of any number of rows.
fn value(name: &str, elem_type: i32, width: Option<i64>) -> ValueInfo {
    let mut dim = vec![Dim { dim_value: None, dim_param: Some("rows".into()) }];
    dim.extend(width.map(|w| Dim { dim_value: Some(w), dim_param: None }));
    let tensor_type = TensorType { elem_type, shape: Some(Shape { dim }) };
    ValueInfo { name: name.to_owned(), kind: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

// `AttributeProto.AttributeType`.
fn attribute(name: &str, kind: i32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), kind, ..AttributeProto::default() }
}

pub(crate) fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name, 1) }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, 2) }
}

pub(crate) fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { s: s.as_bytes().to_vec(), ..attribute(name, 3) }
}

pub(crate) fn floats(name: &str, floats: Vec<f32>) -> AttributeProto {
    AttributeProto { floats, ..attribute(name, 6) }
}

pub(crate) fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { ints, ..attribute(name, 7) }
}

pub(crate) fn texts(name: &str, strings: Vec<&str>) -> AttributeProto {
    AttributeProto { strings: strings.into_iter().map(|s| s.as_bytes().to_vec()).collect(), ..attribute(name, 8) }
}
