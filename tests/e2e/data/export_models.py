"""Exports models of scikit-learn, LightGBM and XGBoost to ONNX and prints onnxruntime's answers."""
import json, sys, warnings
from pathlib import Path
import numpy as np, onnxruntime as ort
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skl2onnx import to_onnx
import lightgbm, xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

warnings.filterwarnings("ignore")
out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(7)
x = rng.normal(size=(600, 6)).astype(np.float32)
y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int64)
three = y + (x[:, 3] > 0.5)
kinds = [("x", FloatTensorType([None, 6]))]
plain = dict(options={"zipmap": False}, target_opset={"": 15, "ai.onnx.ml": 3})
models = {
    "logistic": to_onnx(make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y), x[:1], **plain),
    "logistic3": to_onnx(LogisticRegression().fit(x, three), x[:1], **plain),
    "linear": to_onnx(LinearRegression().fit(x, x[:, 0] * 3), x[:1], target_opset={"": 15, "ai.onnx.ml": 3}),
    "forest": to_onnx(RandomForestClassifier(20, random_state=1).fit(x, y), x[:1], **plain),
    "forest3": to_onnx(RandomForestClassifier(20, random_state=1).fit(x, three), x[:1], **plain),
    "regression_forest": to_onnx(RandomForestRegressor(10, random_state=1).fit(x, x[:, 0]), x[:1], target_opset={"": 15, "ai.onnx.ml": 3}),
    "boosted": to_onnx(GradientBoostingClassifier(n_estimators=20, random_state=1).fit(x, y), x[:1], **plain),
    "lightgbm": convert_lightgbm(lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(x, y), initial_types=kinds, zipmap=False, target_opset=15),
    "xgboost": convert_xgboost(xgboost.XGBClassifier(n_estimators=20).fit(x, y), initial_types=kinds, target_opset=15),
}


def network(nodes, weights, dims, output):
    """A graph of standard operators over one input of these dimensions."""
    from onnx import TensorProto, helper, numpy_helper

    constants = [numpy_helper.from_array(v, k) for k, v in weights.items()]
    made = [helper.make_node(op, i, o, **a) for op, i, o, a in nodes]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        made, "n", [info("x", TensorProto.FLOAT, ["rows", *dims])], [info(output, TensorProto.FLOAT, ["rows", None])], constants
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weight(*shape):
    return (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)


networks = {
    "convolution": (
        network(
            [
                ("Conv", ["x", "k", "b"], ["c"], {"pads": [1, 1, 1, 1], "strides": [1, 1], "dilations": [1, 1]}),
                ("BatchNormalization", ["c", "one", "b", "b", "one"], ["n"], {}),
                ("Relu", ["n"], ["r"], {}),
                ("GlobalAveragePool", ["r"], ["p"], {}),
                ("Flatten", ["p"], ["f"], {}),
                ("Gemm", ["f", "w", "two"], ["y"], {}),
                ("Softmax", ["y"], ["probabilities"], {}),
            ],
            {"k": weight(4, 3, 3, 3), "b": weight(4), "one": np.ones(4, np.float32), "w": weight(4, 2), "two": weight(2)},
            [3, 8, 8],
            "probabilities",
        ),
        rng.normal(size=(20, 3, 8, 8)).astype(np.float32),
    ),
    "attention": (
        network(
            [
                ("LayerNormalization", ["x", "g", "z"], ["n"], {}),
                ("MatMul", ["n", "q"], ["Q"], {}),
                ("MatMul", ["n", "k"], ["K"], {}),
                ("Transpose", ["K"], ["T"], {"perm": [0, 2, 1]}),
                ("MatMul", ["Q", "T"], ["S"], {}),
                ("Softmax", ["S"], ["A"], {}),
                ("MatMul", ["A", "n"], ["V"], {}),
                ("ReduceMean", ["V"], ["M"], {"axes": [1], "keepdims": 0}),
                ("MatMul", ["M", "w"], ["y"], {}),
                ("Sigmoid", ["y"], ["probabilities"], {}),
            ],
            {"g": np.ones(6, np.float32), "z": np.zeros(6, np.float32), "q": weight(6, 6), "k": weight(6, 6), "w": weight(6, 1)},
            [5, 6],
            "probabilities",
        ),
        rng.normal(size=(20, 5, 6)).astype(np.float32),
    ),
}
data = {name: x[:100] for name in models} | {name: rows for name, (_, rows) in networks.items()}
models |= {name: model for name, (model, _) in networks.items()}
answers = {}
for name, model in models.items():
    rows = data[name]
    (out / f"{name}.onnx").write_bytes(model.SerializeToString())
    session = ort.InferenceSession(model.SerializeToString())
    feed = session.get_inputs()[0].name
    (out / f"{name}.jsonl").write_text("".join(json.dumps({feed: [float(v) for v in row.ravel()]}) + "\n" for row in rows))
    values = session.run(None, {feed: rows})
    answers[name] = {o.name: np.asarray(v).ravel().tolist() for o, v in zip(session.get_outputs(), values)}
print(json.dumps(answers))
