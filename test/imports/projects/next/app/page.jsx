"use client";
import { useEffect } from "react";
import { Ner } from "edge-ner";

export default function Page() {
  useEffect(() => {
    globalThis.recognise = async (text) => {
      const ner = await Ner.load("/meder-int8.safetensors");
      return [await ner.extract(text)];
    };
  });
  return null;
}
