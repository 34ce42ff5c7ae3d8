import { Ner } from "edge-ner";
import { model } from "edge-ner-meder";

globalThis.recognise = async (text) => {
  const ner = await Ner.load(model), apart = await Ner.inWorker(model);
  return [await ner.extract(text), await apart.extract(text)];
};
