import { Ner } from "edge-ner";
import model from "edge-ner-meder/meder-int8.safetensors";

const loading = Ner.fromBytes(new Uint8Array(model));

export default {
  async fetch(request) {
    const ner = await loading;
    return Response.json([await ner.extract(await request.text())]);
  },
};
