import { Ner } from "edge-ner";

globalThis.recognise = async (text) => {
  const ner = await Ner.load("./model.safetensors");
  const worker = () => new Worker("./worker.js", { type: "module" });
  const apart = await Ner.inWorker("./model.safetensors", { worker });
  return [await ner.extract(text), await apart.extract(text)];
};
