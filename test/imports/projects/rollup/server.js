import { Ner } from "edge-ner";

const ner = await Ner.load("model.safetensors");
console.log(JSON.stringify([await ner.extract(process.argv[2])]));
process.exit(0);
