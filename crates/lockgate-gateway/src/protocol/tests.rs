use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Inputs `age` (one number), `count` (one integer), `plan` (one text), `vector` (three numbers).
fn model() -> Model {
    Model::load(include_bytes!("kinds.onnx")).unwrap()
}

const ROWS_MAX: usize = 8;

fn body(rows: usize) -> Value {
    let input = |name: &str, datatype: &str, width: usize, value: Value| {
        let data = vec![value; rows * width];
        json!({"name": name, "shape": [rows, width], "datatype": datatype, "data": data})
    };
    json!({"id": "x", "inputs": [
        input("age", "FP32", 1, json!(40.5)),
        input("count", "INT64", 1, json!(-3)),
        input("plan", "BYTES", 1, json!("plus")),
        input("vector", "FP64", 3, json!(1e3)),
    ]})
}

fn ask(body: &Value) -> Result<Inference> {
    read(body.to_string().as_bytes(), &model(), &[], ROWS_MAX)
}

#[test]
fn what_fits_becomes_tensors_in_the_models_order() {
    let inference = ask(&body(2)).unwrap();
    assert_eq!((inference.rows, inference.inputs.len()), (2, 4));
    let mut nested = body(2);
    nested["inputs"][3]["data"] = json!([[1, 2, 3], [4, 5, 6]]);
    let Data::Float(vector) = &ask(&nested).unwrap().inputs[3].data else { panic!("the vector is floats") };
    assert_eq!(*vector, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let mut turned = body(1);
    turned["inputs"].as_array_mut().unwrap().reverse();
    assert_eq!(ask(&turned).unwrap().inputs.len(), 4);
}

/// Any JSON, shallow enough to be written.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, &model(), &[], ROWS_MAX);
    }

    /// Whatever stands in one place of a good request: it fits, or the answer names no value of it.
    #[test]
    fn a_request_with_anything_in_one_place_fits_or_is_refused(
        value in values(),
        input in 0usize..4,
        key in prop::sample::select(vec!["name", "shape", "datatype", "data", "parameters", "more"]),
    ) {
        let mut body = body(2);
        body["inputs"][input][key] = value;
        match ask(&body) {
            Ok(inference) => {
                prop_assert_eq!(inference.rows, 2);
                let sizes: Vec<usize> = inference.inputs.iter().map(|tensor| tensor.shape.iter().product()).collect();
                prop_assert_eq!(sizes, [2, 2, 2, 6]);
            }
            Err(failure) => prop_assert!(failure.to_string().len() < 300, "{}", failure),
        }
    }

    #[test]
    fn rows_are_what_the_shape_says(rows in 0usize..12) {
        prop_assert_eq!(ask(&body(rows)).is_ok(), (1..=ROWS_MAX).contains(&rows));
    }

    #[test]
    fn texts_are_never_in_a_message(text in "[a-z]{12,40}") {
        let mut wrong = body(1);
        wrong["inputs"][0]["data"] = json!([text.clone()]);
        prop_assert!(!ask(&wrong).unwrap_err().to_string().contains(&text));
        let mut wrong = body(1);
        wrong["inputs"][2]["data"] = json!([[text.clone()], [text.clone()]]);
        prop_assert!(!ask(&wrong).unwrap_err().to_string().contains(&text));
    }
}
