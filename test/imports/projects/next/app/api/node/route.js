import { Ner } from "edge-ner";

export const runtime = "nodejs";

let loading;

export async function POST(request) {
  loading ??= Ner.load("public/meder-int8.safetensors");
  const ner = await loading;
  return Response.json([await ner.extract(await request.text())]);
}
