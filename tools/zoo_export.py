"""Exports checkpoints as the zoo's jobs say; a program of its own so that it can run under other versions of transformers.

`zoo_export.py jobs.json` reads a list of jobs, and writes for each of them `out`/model.onnx and config.json, or `out`/failed.txt.
A job's model is a checkpoint folder, or is built here from a class and a configuration (models that only some versions have).
"""

import json
import platform
import shutil
import sys
import traceback
import warnings
from pathlib import Path

import onnx
import torch
import transformers

from zoo_models import randomise

def strip_notes(model):
    """Removes the notes the dynamo exporter leaves: stack traces with the exporting machine's paths, and name spaces repeated at every
    node, which would be most of a tiny file."""
    parts = [model.graph, *model.functions]
    for part in parts:
        for node in part.node:
            del node.metadata_props[:]
            node.doc_string = ""
            parts.extend(attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH)
        del part.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    del model.metadata_props[:]
    return model


def old():
    return tuple(map(int, transformers.__version__.split(".")[:2])) < (4, 36)


def load(job):
    how = {} if old() else {"attn_implementation": job["attention"]}
    if "build" in job:
        settings = dict(job["build"]["config"])
        configuration = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
        configuration.architectures = [job["build"]["class"]]
        if not old():
            configuration._attn_implementation = job["attention"]
        model = randomise(getattr(transformers, job["build"]["class"])(configuration), job["build"]["seed"])
    elif job["task"] == "encoder":
        model = transformers.AutoModel.from_pretrained(job["model"], **how)
    else:
        model = transformers.AutoModelForTokenClassification.from_pretrained(job["model"], **how)
    return model.to(getattr(torch, job["dtype"])).eval()


def arguments(model, job):
    """A padded batch of two; the second row is shorter."""
    if job["static"]:
        ids = torch.arange(6, 6 + job["static"])[None]
    else:
        ids = torch.arange(6, 6 + 22).reshape(2, 11)
    mask = torch.ones_like(ids)
    if not job["static"]:
        mask[1, 7:] = 0
        ids[1, 7:] = model.config.pad_token_id or 0
    every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return {name: every[name] for name in job["inputs"]}


def torch_export(model, job, path):
    given = arguments(model, job)
    outputs = ["logits"] if job["task"] != "encoder" else ["last_hidden_state"]
    with torch.no_grad():
        result = model(**given)
    if getattr(result, "pooler_output", None) is not None:
        outputs.append("pooler_output")
    common = dict(input_names=list(given), output_names=outputs, opset_version=job["opset"])
    if job["exporter"] == "torchscript":
        axes = {name: {0: "batch_size", 1: "sequence_length"} for name in [*given, *outputs]}
        if "pooler_output" in axes:
            del axes["pooler_output"][1]
        torch.onnx.export(model, (given,), str(path), dynamo=False, do_constant_folding=job["fold"],
                          dynamic_axes=None if job["static"] else axes, **common)
    else:
        batch, sequence = torch.export.Dim("batch_size"), torch.export.Dim("sequence_length", max=36)
        torch.onnx.export(model, (), str(path), kwargs=given, dynamo=True, external_data=job["external"], verbose=False,
                          optimize=job["fold"],
                          dynamic_shapes=None if job["static"] else {name: {0: batch, 1: sequence} for name in given}, **common)


def optimum_export(job, out):
    from optimum.exporters.onnx import main_export
    main_export(job["model"], output=out, opset=job["opset"], do_validation=False, optimize=job["optimize"],
                task="feature-extraction" if job["task"] == "encoder" else "token-classification", library_name="transformers",
                slim=job["slim"])
    for name in [path.name for path in out.iterdir() if path.name not in ("model.onnx", "config.json")]:
        (out / name).unlink()


def versions(job):
    found = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
             "onnx": onnx.__version__}
    if job["exporter"] == "optimum":
        from importlib.metadata import version
        found["optimum-onnx"] = version("optimum-onnx")
    elif job["exporter"] == "dynamo":
        import onnxscript
        found["onnxscript"] = onnxscript.__version__
    return found


def run(job):
    out = Path(job["out"])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    torch.manual_seed(0)
    if job["exporter"] == "optimum":
        optimum_export(job, out)
    else:
        model = load(job)
        if job["exporter"] == "safetensors":
            model.save_pretrained(out)
            (out / "generation_config.json").unlink(missing_ok=True)
        else:
            torch_export(model, job, out / "model.onnx")
            model.config.save_pretrained(out)
    if (out / "model.onnx").exists():
        graph = onnx.load(out / "model.onnx", load_external_data=False)
        onnx.save(strip_notes(graph), out / "model.onnx")
    (out / "versions.json").write_text(json.dumps(versions(job)))


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for job in json.loads(Path(sys.argv[1]).read_text()):
        try:
            run(job)
            print(job["name"], "ok", flush=True)
        except Exception as error:
            Path(job["out"], "failed.txt").write_text(traceback.format_exc())
            print(job["name"], "FAILED", type(error).__name__, str(error)[:300].replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
