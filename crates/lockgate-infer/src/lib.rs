//! ONNX execution: tabular evaluator, neural graphs through rten.
