//! What a model is told of each tool: when to use it, and the JSON schema of its arguments.

use crate::propose::llm::ToolSpec;
use crate::task::Task;
use serde_json::{Map, Value, json};

const TRIAL: &str = "A trial such as t0012; the parent that you build on when left out";

/// The tool of this name. What depends on the task (surfaces, axes) is in the schema.
pub(super) fn spec(name: &'static str, task: &Task) -> ToolSpec {
    let (description, fields, required) = match name {
        "brief" => (
            "The task's own documents: what is wanted and why. Read it before your first idea.",
            vec![("name", text("Which document; all when left out"))],
            vec![],
        ),
        "list_files" => (
            "Files of a trial's code, with their size and whether you may edit them.",
            vec![("glob", text("Only paths that match, such as `models/**/*.py`")), ("trial", text(TRIAL))],
            vec![],
        ),
        "read_file" => (
            "Lines of a file, numbered as `  12| code`. The numbers are not part of the file. Read what you edit.",
            vec![
                ("path", text("The file, from the root of the repository")),
                ("start", whole("First line, from 1")),
                ("end", whole("Last line; 400 lines when left out")),
                ("trial", text(TRIAL)),
            ],
            vec!["path"],
        ),
        "search_code" => (
            "Places in the code where a regular expression matches, with lines around them.",
            vec![
                ("pattern", text("A regular expression; upper and lower case differ only if it has an upper-case letter")),
                ("glob", text("Only in paths that match")),
                ("context", whole("Lines around each place, 0 to 8; 2 when left out")),
                ("trial", text(TRIAL)),
            ],
            vec!["pattern"],
        ),
        "tree" => (
            "The experiment tree around a trial: its ancestors, its children and theirs, with scores.",
            vec![("trial", text(TRIAL)), ("depth", whole("Generations below it, 1 to 4; 2 when left out"))],
            vec![],
        ),
        "trial" => (
            "All that is known of one trial: hypothesis, outcome, runs, gates, numbers, reviews, its diff.",
            vec![("trial", text("The trial, such as t0012"))],
            vec!["trial"],
        ),
        "diff" => (
            "What one trial's code changes of another's.",
            vec![("trial", text(TRIAL)), ("against", text("A trial, or `parent`, `baseline`, `incumbent`; the parent when left out"))],
            vec![],
        ),
        "log_tail" => (
            "The end of a run's output.",
            vec![
                ("trial", text(TRIAL)),
                ("run", whole("Number of the run; the last that has ended when left out")),
                ("stream", one_of("Which stream", &["both", "stdout", "stderr"])),
                ("bytes", whole("At most 12000; 4000 when left out")),
            ],
            vec![],
        ),
        "curves" => (
            "The curves of a run: start, end, extremes, what the last fifth does, and points to compare; with `against`, beside another trial's.",
            vec![
                ("trial", text(TRIAL)),
                ("run", whole("Number of the run; the last that has ended when left out")),
                ("key", text("Only metrics whose name has this in it")),
                ("against", text("Another trial whose curves are shown beside them")),
            ],
            vec![],
        ),
        "failure_card" => {
            ("Why a trial failed: what, why, evidence with numbers, and what would have been legal.", vec![("trial", text(TRIAL))], vec![])
        }
        "knobs" => ("Settings found in the code: name, file, line, value, and a usual range.", vec![("trial", text(TRIAL))], vec![]),
        "noise" => ("How much scores vary between seeds, and which difference one run and two can tell from that.", vec![], vec![]),
        "budget" => ("What a run may use, what the study has left, and how far it is.", vec![], vec![]),
        "hardware" => ("The machine that runs are on, and what the parent's runs used of it.", vec![], vec![]),
        "cells" => (
            "The axes of the task's space with their values, the cells that were tried, and what each value gave on average.",
            vec![],
            vec![],
        ),
        "check_edit" => (
            "Tries an edit without handing it in: does it apply, is it in bounds, does it parse, is it a duplicate, what would a reviewer be told, which earlier trial is nearest and what did it give.",
            edit_fields(task),
            vec![],
        ),
        "preflight" => {
            ("Runs the task's cheap check in the sandbox, on the edit given or on the last one that fitted.", edit_fields(task), vec![])
        }
        "submit" => {
            let mut fields = vec![
                ("hypothesis", text("One sentence: what changes, by which mechanism it helps, and what you expect to see")),
                (
                    "expected",
                    number(
                        "Expected change of the metric in its own unit, positive when better; be honest, it is compared with what comes out",
                    ),
                ),
                ("falsified_by", text("What result or curve would show that the mechanism is wrong")),
            ];
            if !task.surfaces.is_empty() {
                let names: Vec<&str> = task.surfaces.iter().map(|s| s.name.as_str()).collect();
                fields.push(("surface", one_of("The part of the recipe that this changes", &names)));
            }
            fields.extend(edit_fields(task));
            fields.push((
                "argue",
                text("Only when you were told that this is nearly an earlier trial: why the difference matters. Once per proposal"),
            ));
            (
                "Hands in the proposal and ends. Without `edits` it takes the last that fitted in check_edit or preflight: do not write them twice. Refused with the reason while it does not apply, is out of bounds or repeats a trial.",
                fields,
                vec!["hypothesis"],
            )
        }
        _ => (
            "Ends without a proposal. Right when the assignment makes no sense here; say what you found, it is kept.",
            vec![("why", text("In one or two sentences"))],
            vec!["why"],
        ),
    };
    let properties: Map<String, Value> = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    ToolSpec {
        name,
        description: description.to_owned(),
        parameters: json!({ "type": "object", "properties": properties, "required": required }),
    }
}

fn edit_fields(task: &Task) -> Vec<(&'static str, Value)> {
    let edit = json!({
        "type": "object",
        "properties": {
            "path": text("The file, from the root of the repository"),
            "search": text("Lines that stand in the file now, quoted exactly and without line numbers; enough of them to be unique"),
            "replace": text("What stands there afterwards"),
            "content": text("Instead of search and replace: the whole new file"),
            "delete": { "type": "boolean", "description": "Instead: remove the file" }
        },
        "required": ["path"]
    });
    let edits = json!({
        "type": "array",
        "items": edit,
        "description": "Changes, applied in order to the parent's files"
    });
    let mut fields =
        vec![("edits", edits), ("patch", text("Instead of edits: SEARCH/REPLACE blocks under a line with the path, or a unified diff"))];
    if let Some(space) = &task.space {
        let axes: Map<String, Value> = space
            .axes
            .iter()
            .map(|axis| {
                let values: Vec<Value> = axis.values.iter().filter_map(|value| serde_json::to_value(value).ok()).collect();
                (axis.name.clone(), json!({ "enum": values }))
            })
            .collect();
        fields.push(("cell", json!({ "type": "object", "properties": axes, "description": "Instead of edits: values of axes of the space; those left out stay as in the parent" })));
    }
    fields
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn whole(description: &str) -> Value {
    json!({ "type": "integer", "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "number", "description": description })
}

fn one_of(description: &str, words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words, "description": description })
}

/// The arguments of a tool in one line: `{path, start?, end?, trial?}`.
pub(super) fn shown(spec: &ToolSpec) -> String {
    let required: Vec<&str> =
        spec.parameters.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = spec.parameters.get("properties").and_then(Value::as_object);
    let mut fields: Vec<(bool, String)> = fields
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let (kind, optional) = (value.get("type").and_then(Value::as_str).unwrap_or("string"), !required.contains(&key.as_str()));
            (optional, format!("\"{key}\"{}: {kind}", if optional { " (optional)" } else { "" }))
        })
        .collect();
    fields.sort_by_key(|(optional, _)| *optional);
    format!("{{{}}}", fields.into_iter().map(|(_, field)| field).collect::<Vec<_>>().join(", "))
}
