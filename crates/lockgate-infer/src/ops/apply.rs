//! Operators on tensors: the arithmetic of the ONNX and ONNX-ML specifications.

use lockgate_core::{Failure, Result};

use super::{Binary, Labels, Linear, Norm, Post, Table, Unary};
use crate::{
    onnx,
    tensor::{Data, Tensor},
    tree::Ensemble,
};

impl Unary {
    pub(super) fn apply(self, x: f32) -> f32 {
        match self {
            Self::Sigmoid => logistic(x),
            Self::Relu => x.max(0.0),
            Self::Tanh => x.tanh(),
            Self::Exp => x.exp(),
            Self::Neg => -x,
        }
    }
}

pub(super) fn logistic(x: f32) -> f32 {
    // In double precision: the reference's float version differs in the last bits only.
    (1.0 / (1.0 + (-f64::from(x)).exp())) as f32
}

pub(super) fn softmax(row: &mut [f32]) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|x| *x = (*x - max).exp());
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|x| *x /= sum);
}

pub(super) fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in row.iter().enumerate() {
        if Some(value) > row.get(best) {
            best = at;
        }
    }
    best
}

/// A value for each column, or one for all.
pub(super) fn pick(values: &[f32], at: usize) -> f32 {
    values.get(at).or_else(|| values.first()).copied().unwrap_or_default()
}

pub(super) fn by_column(tensor: &Tensor, apply: impl Fn(f32, usize) -> f32) -> Result<Tensor> {
    let (_, k) = tensor.rows();
    let data = tensor.to_floats()?.into_iter().enumerate().map(|(at, x)| apply(x, at % k.max(1))).collect();
    Ok(Tensor::floats(tensor.shape.clone(), data))
}

pub(super) fn cast(tensor: &Tensor, to: i64) -> Result<Tensor> {
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

pub(super) fn concat(inputs: &[&Tensor], axis: i64) -> Result<Tensor> {
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

pub(super) fn reshape(tensor: &Tensor, wanted: &[i64]) -> Result<Tensor> {
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

pub(super) fn broadcast(left: &Tensor, right: &Tensor, binary: Binary) -> Result<Tensor> {
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

pub(super) fn matmul(
    left: &Tensor,
    right: &Tensor,
    bias: Option<&Tensor>,
    alpha: f32,
    beta: f32,
    trans: bool,
) -> Result<Tensor> {
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

pub(super) fn one_hot(
    tensor: &Tensor,
    places: impl Iterator<Item = Option<usize>>,
    width: usize,
    zeros: bool,
) -> Result<Tensor> {
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

pub(super) fn encode(tensor: &Tensor, table: &Table, default: &Data) -> Result<Tensor> {
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

pub(super) fn normalize(tensor: &Tensor, norm: Norm) -> Result<Tensor> {
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

pub(super) fn extract(tensor: &Tensor, places: &[i64]) -> Result<Tensor> {
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
    pub(super) fn scores(&self, tensor: &Tensor, outputs: usize) -> Result<Vec<f32>> {
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

    pub(super) fn regress(&self, tensor: &Tensor) -> Result<Tensor> {
        let (n, _) = tensor.rows();
        let mut scores = self.scores(tensor, self.targets)?;
        scores.chunks_mut(self.targets).for_each(|row| apply_post(row, self.post));
        Ok(Tensor::floats(vec![n, self.targets], scores))
    }

    pub(super) fn classify(&self, tensor: &Tensor, labels: &Labels) -> Result<Vec<Tensor>> {
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
pub(super) fn two_classes(score: f32, post: Post, is_probability: bool) -> [f32; 2] {
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

pub(super) fn apply_post(row: &mut [f32], post: Post) {
    match post {
        Post::None => {}
        Post::Logistic => row.iter_mut().for_each(|x| *x = logistic(*x)),
        Post::Softmax => softmax(row),
    }
}

pub(super) fn tree_rows<'t>(
    ensemble: &Ensemble,
    tensor: &'t Tensor,
) -> Result<(usize, usize, std::borrow::Cow<'t, [f32]>)> {
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

pub(super) fn regress_trees(ensemble: &Ensemble, post: Post, tensor: &Tensor) -> Result<Tensor> {
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

pub(super) fn classify_trees(ensemble: &Ensemble, labels: &Labels, post: Post, tensor: &Tensor) -> Result<Vec<Tensor>> {
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
