"""What people do to an exported model before they publish it: fuse, quantize, narrow, optimize and save. Each step rewrites a file."""

import importlib.metadata
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LOSSY = {"fp16", "fuse-fp16", "bf16", "dynamic", "static", "nbits"}


def fuse(path, config, options, samples):
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions
    chosen = FusionOptions("bert")
    for name, value in options.items():
        if name == "use_mask_index":
            chosen.use_raw_attention_mask(not value)
        else:
            setattr(chosen, name, value)
    fused = optimizer.optimize_model(str(path), "bert", config.num_attention_heads, config.hidden_size, optimization_options=chosen,
                                     opt_level=0)
    fused.save_model_to_file(str(path))


def fuse_fp16(path, config, samples):
    from onnxruntime.transformers.onnx_model import OnnxModel
    model = OnnxModel(onnx.load(path))
    model.convert_float_to_float16(keep_io_types=True)
    model.save_model_to_file(str(path))


def fp16(path, config, samples):
    from onnxconverter_common import float16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx.save(float16.convert_float_to_float16(onnx.load(path), keep_io_types=True), path)
    return {"onnxconverter-common": importlib.metadata.version("onnxconverter-common")}


def bf16(path, config, samples):
    """Not a tool's work: every float32 matrix becomes bfloat16 behind a Cast."""
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2:
            bits = numpy_helper.to_array(tensor).view(np.uint32).astype(np.uint64)
            rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
            name, dims = tensor.name, list(tensor.dims)
            tensor.Clear()
            tensor.CopyFrom(helper.make_tensor(name + "_bf16", TensorProto.BFLOAT16, dims, rounded.tobytes(), raw=True))
            casts.append(helper.make_node("Cast", [name + "_bf16"], [name], name + "_cast", to=TensorProto.FLOAT))
    for index, cast in enumerate(casts):
        model.graph.node.insert(index, cast)
    onnx.save(model, path)


def slim(path, config, samples):
    import onnxslim
    onnx.save(onnxslim.slim(onnx.load(path)), path)
    return {"onnxslim": importlib.metadata.version("onnxslim")}


def session(path, config, level, samples):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level.upper()}")
    options.optimized_model_filepath = str(path) + ".new"
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    Path(options.optimized_model_filepath).replace(path)


def dynamic(path, config, how, samples):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    new = Path(str(path) + ".new")
    quantize_dynamic(path, new, op_types_to_quantize=how.get("ops"), per_channel=how.get("per_channel", False),
                     reduce_range=how.get("reduce_range", False),
                     # Shape inference knows nothing of fused operators; without a default type they stop it.
                     extra_options={"DefaultTensorType": TensorProto.FLOAT},
                     weight_type={"u8": QuantType.QUInt8, "s8": QuantType.QInt8}[how["weight"]])
    new.replace(path)


def static(path, config, how, samples):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            names = [put.name for put in onnx.load(path).graph.input]
            every = [{"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64),
                      "token_type_ids": np.zeros((1, len(ids)), np.int64)} for ids in samples]
            self.rows = iter([{name: row[name] for name in names} for row in every])

        def get_next(self):
            return next(self.rows, None)

    new = Path(str(path) + ".new")
    quantize_static(path, new, Reader(), quant_format=getattr(QuantFormat, how["format"]), per_channel=how.get("per_channel", False),
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    new.replace(path)


def nbits(path, config, how, samples):
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    quantizer = MatMulNBitsQuantizer(onnx.load(path), block_size=16, is_symmetric=how.get("symmetric", True))
    quantizer.process()
    quantizer.model.save_model_to_file(str(path), False)


def shorten(path):
    """Numbers the inner values and drops nodes' names and shape notes: half the bytes of a tiny export, and nothing a reader may
    rely on. Inputs, outputs and weights keep their names."""
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    # Scales and the like that a converter named after inner values ("/bert/...") are numbered with them.
    kept = {value.name for value in [*graph.input, *graph.output, *graph.initializer] if not value.name.startswith("/")} | {""}
    names = {}

    def visit(part):
        for node in part.node:
            node.name = ""
            node.doc_string = ""
            for field in (node.input, node.output):
                for index, name in enumerate(field):
                    if name not in kept:
                        field[index] = names.setdefault(name, f"v{len(names)}")
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    kept.update(tensor.name for tensor in attribute.g.initializer)
                    visit(attribute.g)
                    for value in attribute.g.output:
                        value.name = names.get(value.name, value.name)
        del part.value_info[:]

    visit(graph)
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    assert not kept & set(names.values())
    onnx.save(model, path)


STEPS = {"fuse": fuse, "fuse-fp16": fuse_fp16, "fp16": fp16, "bf16": bf16, "slim": slim, "session": session, "dynamic": dynamic,
         "static": static, "nbits": nbits}
