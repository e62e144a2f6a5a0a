//! Column lineage from a logical plan: what each output column's values depend on, and what
//! decided which rows there are. Where a node is not understood, everything depends on everything.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::{
    common::{
        Column, DFSchema,
        tree_node::{TreeNode as _, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan},
};
use lockgate_lake::QueryColumn;

type Origins = BTreeSet<String>;

#[derive(Debug)]
pub(crate) struct Lineage {
    pub(crate) columns: Vec<QueryColumn>,
    pub(crate) indirect: Vec<String>,
}

pub(crate) fn of(plan: &LogicalPlan) -> Lineage {
    let mut indirect = Origins::new();
    let outputs = walk(plan, &mut indirect);
    let columns = plan
        .schema()
        .fields()
        .iter()
        .zip(outputs)
        .map(|(field, origins)| QueryColumn { name: field.name().clone(), derived_from: origins.into_iter().collect() })
        .collect();
    Lineage { columns, indirect: indirect.into_iter().collect() }
}

/// The origins of each output column of `plan`, in order.
fn walk(plan: &LogicalPlan, indirect: &mut Origins) -> Vec<Origins> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            // Predicates decide about rows wherever they stand.
            let table = scan.table_name.table();
            for filter in &scan.filters {
                indirect.extend(filter.column_refs().iter().map(|c| format!("{table}/{}", c.name)));
            }
            plan.schema().fields().iter().map(|f| Origins::from([format!("{table}/{}", f.name())])).collect()
        }
        LogicalPlan::Projection(node) => {
            let inputs = walk(&node.input, indirect);
            node.expr.iter().map(|e| expression(e, node.input.schema(), &inputs, indirect)).collect()
        }
        LogicalPlan::Filter(node) => {
            let inputs = walk(&node.input, indirect);
            let used = expression(&node.predicate, node.input.schema(), &inputs, indirect);
            indirect.extend(used);
            inputs
        }
        LogicalPlan::Aggregate(node) => {
            let inputs = walk(&node.input, indirect);
            let schema = node.input.schema();
            let groups: Vec<Origins> =
                node.group_expr.iter().map(|e| expression(e, schema, &inputs, indirect)).collect();
            indirect.extend(groups.iter().flatten().cloned());
            let mut outputs = groups;
            outputs.extend(node.aggr_expr.iter().map(|e| expression(e, schema, &inputs, indirect)));
            fit(outputs, plan, &inputs)
        }
        LogicalPlan::Join(node) => {
            let mut left = walk(&node.left, indirect);
            let right = walk(&node.right, indirect);
            for (l, r) in &node.on {
                let used = expression(l, node.left.schema(), &left, indirect);
                indirect.extend(used);
                let used = expression(r, node.right.schema(), &right, indirect);
                indirect.extend(used);
            }
            left.extend(right);
            if let Some(filter) = &node.filter {
                indirect.extend(expression(filter, node.schema.as_ref(), &left, &mut Origins::new()));
            }
            fit(left.clone(), plan, &left)
        }
        LogicalPlan::Union(node) => {
            let branches: Vec<Vec<Origins>> = node.inputs.iter().map(|input| walk(input, indirect)).collect();
            (0..plan.schema().fields().len())
                .map(|at| branches.iter().filter_map(|branch| branch.get(at)).flatten().cloned().collect())
                .collect()
        }
        LogicalPlan::SubqueryAlias(node) => walk(&node.input, indirect),
        LogicalPlan::Subquery(node) => walk(&node.subquery, indirect),
        LogicalPlan::Sort(node) => walk(&node.input, indirect),
        LogicalPlan::Limit(node) => walk(&node.input, indirect),
        LogicalPlan::Repartition(node) => walk(&node.input, indirect),
        other => {
            let all: Vec<Origins> = other.inputs().into_iter().flat_map(|input| walk(input, indirect)).collect();
            fit(Vec::new(), other, &all)
        }
    }
}

/// Outputs that were not worked out one by one depend on every input.
fn fit(outputs: Vec<Origins>, plan: &LogicalPlan, inputs: &[Origins]) -> Vec<Origins> {
    let wanted = plan.schema().fields().len();
    if outputs.len() == wanted {
        return outputs;
    }
    let everything: Origins = inputs.iter().flatten().cloned().collect();
    vec![everything; wanted]
}

/// What an expression over `schema` depends on; a subquery counts with all of its columns.
fn expression(expr: &Expr, schema: &DFSchema, inputs: &[Origins], indirect: &mut Origins) -> Origins {
    let mut places: BTreeMap<Column, usize> = BTreeMap::new();
    for (at, column) in schema.columns().into_iter().enumerate() {
        places.insert(column, at);
    }
    let mut origins = Origins::new();
    for column in expr.column_refs() {
        let place = places.get(column).copied().or_else(|| schema.maybe_index_of_column(column));
        match place.and_then(|place| inputs.get(place)) {
            Some(found) => origins.extend(found.iter().cloned()),
            // Not found means not understood: depend on everything.
            None => origins.extend(inputs.iter().flatten().cloned()),
        }
    }
    let _ = expr.apply(|node| {
        let subquery = match node {
            Expr::ScalarSubquery(subquery) => Some(subquery),
            Expr::InSubquery(node) => Some(&node.subquery),
            Expr::Exists(node) => Some(&node.subquery),
            _ => None,
        };
        if let Some(subquery) = subquery {
            origins.extend(walk(&subquery.subquery, indirect).into_iter().flatten());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    origins
}
