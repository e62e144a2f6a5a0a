"""Holds `lockgate expect` against Great Expectations itself, on randomized tables.

usage: expectations.py PROGRAM ROUNDS SEED

Every expectation is asked of every table with random arguments; verdict, counts and observed
numbers must agree. SQL and LIKE, which Great Expectations has for databases only, are asked of
SQLite. Prints one line a difference and ends with 1 when there is one.
"""
import json, logging, math, os, random, subprocess, sys, tempfile, warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
os.environ["GX_ANALYTICS_ENABLED"] = "false"
import great_expectations as gx
import numpy as np
import pandas as pd
import sqlalchemy

PROGRAM, ROUNDS, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(SEED)

WORDS = ["a", "b", "ab", "Zürich", "naïve", "日本", "x y", "", "A1", "a%b", "a_b", "10", "2020-01-05", "🙂", "é"]
DATES = ["2020-01-05", "2021-02-28", "2021-02-30", "05/06/2021", "5 Jan 2020", "nonsense", "2020-01-05 10:00", "13:45", "2020/12/31"]
JSONS = ['{"a": 1}', '{"a": "x"}', "[1, 2]", "{", "1", '"text"', "", "null", '{"a": 1, "b": 2}']


def holes(values, share):
    return [None if rng.random() < share else value for value in values]


def table():
    shape = rng.choice(["some", "some", "some", "some", "one", "none", "nulls"])
    rows = {"some": rng.randint(2, 40), "one": 1, "none": 0, "nulls": rng.randint(1, 8)}[shape]
    share = 1.0 if shape == "nulls" else rng.choice([0.0, 0.0, 0.2, 0.5])
    floats = [rng.choice([rng.uniform(-5, 5), float(rng.randint(-3, 3)), 0.1]) for _ in range(rows)]
    if rng.random() < 0.2 and rows:
        floats[rng.randrange(rows)] = rng.choice([math.inf, -math.inf])
    frame = pd.DataFrame({
        "i": pd.Series([rng.randint(-3, 6) for _ in range(rows)], dtype="int64"),
        "j": pd.Series([rng.randint(0, 1000) for _ in range(rows)], dtype="int64"),
        "f": pd.Series(holes(floats, share), dtype="float64"),
        "g": pd.Series(holes([float(rng.randint(0, 3)) for _ in range(rows)], share), dtype="float64"),
        "s": pd.Series(holes([rng.choice(WORDS) for _ in range(rows)], share), dtype="str"),
        "u": pd.Series(holes([rng.choice("abc") for _ in range(rows)], share), dtype="str"),
        "d": pd.Series(holes([rng.choice(DATES) for _ in range(rows)], share), dtype="str"),
        "o": pd.Series(holes([rng.choice(JSONS) for _ in range(rows)], share), dtype="str"),
        "b": pd.Series([rng.random() < 0.5 for _ in range(rows)], dtype="bool"),
        "t": pd.to_datetime(pd.Series(holes([f"2020-0{rng.randint(1, 3)}-1{rng.randint(0, 3)}T0{rng.randint(0, 2)}:00:00" for _ in range(rows)], share), dtype="object")).astype("datetime64[ns]"),
    })
    return frame


def bounds(low, high, whole=False):
    draw = (lambda: rng.randint(low, high)) if whole else (lambda: rng.choice([rng.uniform(low, high), rng.randint(low, high)]))
    kwargs = {}
    a, b = sorted([draw(), draw()])
    if rng.random() < 0.8:
        kwargs["min_value"] = a
        if rng.random() < 0.2:
            kwargs["strict_min"] = True
    if rng.random() < 0.8 or not kwargs:
        kwargs["max_value"] = b
        if rng.random() < 0.2:
            kwargs["strict_max"] = True
    return kwargs


def mostly():
    return {"mostly": rng.choice([0.5, 0.9, 0.3, 1.0])} if rng.random() < 0.5 else {}


def number():
    return rng.choice("ijfg")


def members(column):
    pool = {"i": [-1, 0, 1, 2, 3], "g": [0, 1, 2, 3.0], "f": [0.1, 1, -2.0], "s": WORDS, "u": ["a", "b", "c", "q"], "j": [1, 2], "b": [True, False]}[column]
    return rng.sample(pool, rng.randint(1, min(len(pool), 6)))


def expectations():
    c = number()
    q = sorted(rng.sample([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0], 3))
    s = rng.choice("sdou")
    v = rng.choice("igfsu")
    pair = rng.sample("ijfg", 2)
    three = rng.sample("ijfg", 3)
    text_pair = rng.sample("sdou", 2)
    ignore_pair = {"ignore_row_if": rng.choice(["both_values_are_missing", "either_value_is_missing", "neither"])}
    ignore_many = {"ignore_row_if": rng.choice(["all_values_are_missing", "any_value_is_missing", "never"])}
    strict = {"strictly": True} if rng.random() < 0.5 else {}
    patterns = ["^a", "b$", "[0-9]+", "^.{1,2}$", "(?i)A", "ü", "x y", "^$", r"^\d{4}-\d{2}-\d{2}$"]
    bins = sorted(rng.sample([-6.0, -3.0, -1.0, 0.0, 1.0, 2.0, 4.0, 7.0], 4))
    weights = [0.25, 0.25, 0.5]
    partition = rng.choice([
        {"bins": bins, "weights": weights},
        {"bins": bins, "weights": [0.2, 0.2, 0.4], "tail_weights": [0.1, 0.1]},
    ])
    holdout = {} if "tail_weights" in partition else {"tail_weight_holdout": rng.choice([0.0, 0.01, 0.1])}
    condition = rng.choice([
        {"type": "comparison", "column": {"name": "i"}, "operator": rng.choice(["==", "!=", "<", ">", "<=", ">="]), "parameter": 1},
        {"type": "comparison", "column": {"name": "i"}, "operator": rng.choice(["IN", "NOT_IN"]), "parameter": [1, 2]},
        {"type": "nullity", "column": {"name": "f"}, "is_null": rng.random() < 0.5},
        {"type": "and", "conditions": [
            {"type": "comparison", "column": {"name": "i"}, "operator": ">", "parameter": 0},
            {"type": "comparison", "column": {"name": "i"}, "operator": "<", "parameter": 4}]},
    ])
    asked = [
        ("column_distinct_values_to_be_in_set", {"column": v, "value_set": members(v)}),
        ("column_distinct_values_to_contain_set", {"column": v, "value_set": members(v)}),
        ("column_distinct_values_to_equal_set", {"column": v, "value_set": members(v)}),
        ("column_kl_divergence_to_be_less_than", {"column": "u", "partition_object": {"values": ["a", "b", "c"], "weights": [0.2, 0.3, 0.5]}, "threshold": rng.choice([0.05, 0.5, 3]), "tail_weight_holdout": rng.choice([0, 0.1])}),
        ("column_kl_divergence_to_be_less_than", {"column": "f", "partition_object": partition, "threshold": rng.choice([0.1, 1, 5]), **holdout}),
        ("column_max_to_be_between", {"column": c, **bounds(-4, 6)}),
        ("column_min_to_be_between", {"column": c, **bounds(-4, 6)}),
        ("column_mean_to_be_between", {"column": c, **bounds(-2, 3)}),
        ("column_median_to_be_between", {"column": c, **bounds(-2, 3)}),
        ("column_stdev_to_be_between", {"column": c, **bounds(0, 4)}),
        ("column_sum_to_be_between", {"column": c, **bounds(-10, 30)}),
        ("column_most_common_value_to_be_in_set", {"column": v, "value_set": members(v), "ties_okay": rng.random() < 0.5}),
        ("column_pair_values_a_to_be_greater_than_b", {"column_A": pair[0], "column_B": pair[1], "or_equal": rng.random() < 0.5, **ignore_pair, **mostly()}),
        ("column_pair_values_to_be_equal", {"column_A": pair[0], "column_B": pair[1], **ignore_pair, **mostly()}),
        ("column_pair_values_to_be_equal", {"column_A": text_pair[0], "column_B": text_pair[1], **ignore_pair, **mostly()}),
        ("column_pair_values_to_be_in_set", {"column_A": "i", "column_B": "u", "value_pairs_set": [[a, b] for a in range(-1, 4) for b in "ab"], **ignore_pair, **mostly()}),
        ("column_proportion_of_non_null_values_to_be_between", {"column": v, **bounds(0, 1)}),
        ("column_proportion_of_unique_values_to_be_between", {"column": v, **bounds(0, 1)}),
        ("column_quantile_values_to_be_between", {"column": c, "quantile_ranges": {"quantiles": q, "value_ranges": [[rng.choice([None, -3, 0]), rng.choice([None, 1, 4])] for _ in q]}, "allow_relative_error": rng.choice([False, "linear", "lower", "higher", "midpoint", "nearest"])}),
        ("column_to_exist", {"column": rng.choice(["i", "nope"]), **({"column_index": rng.randint(0, 1)} if rng.random() < 0.5 else {})}),
        ("column_type_to_be", {"column": rng.choice("ifsb"), "type_": rng.choice(["int64", "float64", "bool", "str"])}),
        ("column_unique_value_count_to_be_between", {"column": v, **bounds(0, 10, True)}),
        ("column_value_lengths_to_be_between", {"column": rng.choice("suig"), **bounds(0, 4, True), **mostly()}),
        ("column_value_lengths_to_equal", {"column": rng.choice("sui"), "value": rng.randint(0, 3), **mostly()}),
        ("column_value_z_scores_to_be_less_than", {"column": c, "threshold": rng.choice([0.5, 1, 2]), "double_sided": rng.random() < 0.5, **mostly()}),
        ("column_values_to_be_between", {"column": c, **bounds(-4, 6), **mostly()}),
        ("column_values_to_be_between", {"column": "t", "min_value": "2020-01-11T00:00:00", "max_value": "2020-02-12T01:00:00", **mostly()}),
        ("column_values_to_be_dateutil_parseable", {"column": "d", **mostly()}),
        ("column_values_to_be_increasing", {"column": number(), **strict, **mostly()}),
        ("column_values_to_be_decreasing", {"column": number(), **strict, **mostly()}),
        ("column_values_to_be_increasing", {"column": "t", **strict, **mostly()}),
        ("column_values_to_be_in_set", {"column": v, "value_set": members(v), **mostly()}),
        ("column_values_to_not_be_in_set", {"column": v, "value_set": members(v), **mostly()}),
        ("column_values_to_be_in_type_list", {"column": rng.choice("iufb"), "type_list": rng.sample(["int64", "float64", "datetime64[ns]", "bool"], 2), **mostly()}),
        ("column_values_to_be_of_type", {"column": rng.choice("iuf"), "type_": rng.choice(["int64", "float64", "str"]), **mostly()}),
        ("column_values_to_be_json_parseable", {"column": "o", **mostly()}),
        ("column_values_to_match_json_schema", {"column": "o", "json_schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, **mostly()}),
        ("column_values_to_be_null", {"column": rng.choice("fstu"), **mostly()}),
        ("column_values_to_not_be_null", {"column": rng.choice("fstu"), **mostly()}),
        ("column_values_to_be_unique", {"column": rng.choice("ijfsut"), **mostly()}),
        ("column_values_to_match_regex", {"column": rng.choice([s, "i"]), "regex": rng.choice(patterns), **mostly()}),
        ("column_values_to_not_match_regex", {"column": s, "regex": rng.choice(patterns), **mostly()}),
        ("column_values_to_match_regex_list", {"column": s, "regex_list": rng.sample(patterns, 2), "match_on": rng.choice(["any", "all"]), **mostly()}),
        ("column_values_to_not_match_regex_list", {"column": s, "regex_list": rng.sample(patterns, 2), **mostly()}),
        ("column_values_to_match_strftime_format", {"column": "d", "strftime_format": rng.choice(["%Y-%m-%d", "%d/%m/%Y", "%H:%M", "%Y-%m-%d %H:%M", "%d %b %Y", "%Y/%m/%d"]), **mostly()}),
        ("column_values_to_not_be_outliers", {"column": c, "method": rng.choice(["iqr", "std"]), "multiplier": rng.choice([0.5, 1.5, 3]), **mostly()}),
        ("compound_columns_to_be_unique", {"column_list": rng.sample("iusg", 2), **ignore_many, **mostly()}),
        ("multicolumn_sum_to_equal", {"column_list": rng.sample("igf", 2), "sum_total": rng.randint(0, 4), **ignore_many, **mostly()}),
        ("multicolumn_values_to_be_equal", {"column_list": three[:2], **ignore_many, **mostly()}),
        ("select_column_values_to_be_unique_within_record", {"column_list": three, **ignore_many, **mostly()}),
        ("table_column_count_to_be_between", {"min_value": rng.randint(5, 11), "max_value": rng.randint(9, 12)}),
        ("table_column_count_to_equal", {"value": rng.choice([10, 9])}),
        ("table_columns_to_match_ordered_list", {"column_list": rng.choice([list("ijfgsudobt"), list("jifgsudobt"), list("ij")])}),
        ("table_columns_to_match_set", {"column_set": rng.choice([list("ijfgsudobt"), list("ij"), list("ijz")]), "exact_match": rng.random() < 0.5}),
        ("table_row_count_to_be_between", bounds(0, 30, True)),
        ("table_row_count_to_equal", {"value": rng.randint(0, 5)}),
    ]
    asked = [(f"expect_{kind}", kwargs) for kind, kwargs in asked]
    conditional = rng.sample([a for a in asked if "column" in a[1] and a[0] not in ("expect_column_to_exist", "expect_column_type_to_be")], 12)
    asked += [(kind, {**kwargs, "row_condition": condition, "condition_parser": "great_expectations"}) for kind, kwargs in conditional]
    return asked


def sql_expectations():
    likes = ["a%", "%b", "_", "%", "a!%b", "a!_b", "Z%", ""]
    one = lambda: {"like_pattern": rng.choice(likes), "escape": "!"}
    two = lambda: {"like_pattern_list": rng.sample(likes, 2), "escape": "!"}
    return [(f"expect_{kind}" if not kind.startswith("unexpected") else kind, kwargs) for kind, kwargs in [
        ("column_values_to_match_like_pattern", {"column": "s", **one(), **mostly()}),
        ("column_values_to_not_match_like_pattern", {"column": "s", **one(), **mostly()}),
        ("column_values_to_match_like_pattern_list", {"column": "s", **two(), "match_on": rng.choice(["any", "all"]), **mostly()}),
        ("column_values_to_not_match_like_pattern_list", {"column": "s", **two(), **mostly()}),
        ("table_row_count_to_equal_other_table", {"other_table_name": "other"}),
        ("unexpected_rows_expectation", {"unexpected_rows_query": f"SELECT * FROM {{batch}} WHERE i > {rng.randint(2, 9)}"}),
        ("query_results_to_match_comparison", {"base_query": "SELECT u, count(*) AS n FROM {batch} GROUP BY u", "comparison_query": "SELECT u, count(*) AS n FROM other GROUP BY u", "comparison_data_source_name": "lite", **mostly()}),
    ]]


def build(asked):
    out = []
    for kind, kwargs in asked:
        name = "".join(part.capitalize() for part in kind.split("_")).replace("Kl", "KL")
        cls = getattr(gx.expectations, name)
        out.append(cls(**kwargs))
    return out


def same(a, b):
    if isinstance(a, bool) or isinstance(b, bool):
        return bool(a) == bool(b)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b or abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, str) and isinstance(b, (int, float)):
        a, b = b, a
    if isinstance(a, float) and isinstance(b, str):
        return b in ("Infinity", "-Infinity") and math.isinf(a)
    return a == b


def compare(asked, theirs, ours, where):
    differences = 0
    for (kind, kwargs), them, us in zip(asked, theirs, ours):
        raised = any(isinstance(v, dict) and v.get("raised_exception") for v in them["exception_info"].values()) or them["exception_info"].get("raised_exception")
        problems = []
        # Documented: text that is no JSON is counted as unexpected; they raise.
        if raised and kind == "expect_column_values_to_match_json_schema":
            continue
        if str(them["success"]) != str(us["success"]):
            problems.append(f"success {them['success']} / {us['success']}")
        if not raised and not us["exception_info"]["raised_exception"]:
            for key in ["element_count", "unexpected_count", "missing_count", "unexpected_percent", "observed_value"]:
                a, b = them["result"].get(key), us["result"].get(key)
                if key == "observed_value" and (isinstance(a, str) or kind.endswith(("in_set", "match_set", "ordered_list", "rows_expectation", "column_type_to_be"))):
                    continue
                if kind == "expect_column_values_to_be_null" or kind == "expect_column_values_to_not_be_null":
                    if key == "missing_count":
                        continue
                # Documented: databases count nothing in an empty table, and NumPy's interpolation
                # makes no number of an infinite neighbour.
                if a is None and b == 0:
                    continue
                if kind == "expect_column_quantile_values_to_be_between" and a is not None:
                    a = {**a, "values": [y if x is None else x for x, y in zip(a["values"], b["values"])]}
                if not same(a, b):
                    problems.append(f"{key} {a} / {b}")
        elif not raised and us["exception_info"]["raised_exception"]:
            problems.append(f"refused: {us['exception_info']['exception_message']}")
        if problems:
            differences += 1
            print(f"{where} {kind} {json.dumps(kwargs)}: {'; '.join(problems)}")
    return differences


def lockgate(folder, asked, files, extra=()):
    suite = os.path.join(folder, "suite.json")
    with open(suite, "w") as out:
        json.dump({"name": "suite", "expectations": [{"type": k, "kwargs": w} for k, w in asked]}, out)
    done = subprocess.run([PROGRAM, "expect", suite, *files, "--show-values", "--format", "json", "--quiet", *extra], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        print(done.stderr)
        sys.exit(2)
    return json.loads(done.stdout)["results"]


def main():
    # Standard SQL's LIKE tells capitals from small letters; SQLite's does not unless asked.
    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "connect", lambda c, _: c.execute("PRAGMA case_sensitive_like=ON"))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batches = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    differences = asked_in_all = 0
    for round in range(ROUNDS):
        frame, asked = table(), expectations()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "table.parquet")
            frame.to_parquet(path, row_group_size=max(1, len(frame) // 3))
            ours = lockgate(folder, asked, [path])
            theirs = []
            batch = batches.get_batch(batch_parameters={"dataframe": frame})
            for expectation in build(asked):
                # One by one: results of a suite come in another order.
                theirs.append(batch.validate(expectation, result_format={"result_format": "SUMMARY"}).to_json_dict())
            differences += compare(asked, theirs, ours, f"round {round}, {len(frame)} rows:")
            asked_in_all += len(asked)
            if round % 5 == 0:
                asked = sql_expectations()
                other = frame.sample(n=rng.randint(0, len(frame)), random_state=1) if rng.random() < 0.5 else frame
                other_path = os.path.join(folder, "other.parquet")
                other.to_parquet(other_path)
                lite = os.path.join(folder, "lite.db")
                engine = sqlalchemy.create_engine(f"sqlite:///{lite}")
                frame.to_sql("main_table", engine, index=False)
                other.to_sql("other", engine, index=False)
                engine.dispose()
                name = f"lite{round}"
                source = context.data_sources.add_sqlite(name, connection_string=f"sqlite:///{lite}")
                definition = source.add_table_asset("t", table_name="main_table").add_batch_definition_whole_table("b")
                ours = lockgate(folder, asked, [path], ["--table", f"other={other_path}"])
                for kind, kwargs in asked:
                    if "comparison_data_source_name" in kwargs:
                        kwargs["comparison_data_source_name"] = name
                batch = definition.get_batch()
                theirs = [batch.validate(e, result_format={"result_format": "SUMMARY"}).to_json_dict() for e in build(asked)]
                differences += compare(asked, theirs, ours, f"round {round}, SQLite, {len(frame)} rows:")
                asked_in_all += len(asked)
    print(f"{asked_in_all} verdicts, {differences} differences")
    sys.exit(1 if differences else 0)


main()
