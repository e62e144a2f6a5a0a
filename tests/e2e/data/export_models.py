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
answers = {}
rows = x[:100]
for name, model in models.items():
    (out / f"{name}.onnx").write_bytes(model.SerializeToString())
    session = ort.InferenceSession(model.SerializeToString())
    feed = session.get_inputs()[0].name
    (out / f"{name}.jsonl").write_text("".join(json.dumps({feed: [float(v) for v in row]}) + "\n" for row in rows))
    values = session.run(None, {feed: rows})
    answers[name] = {o.name: np.asarray(v).ravel().tolist() for o, v in zip(session.get_outputs(), values)}
print(json.dumps(answers))
