package dev.sparkmla.jobs;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A copy of a model folder whose projections are in 8 bits, by the rules of DeepSeek-V3's
 * checkpoints: for each block of 128 x 128 the largest absolute value / 448 is the scale, and an
 * element the number nearest to its quotient.
 */
final class QuantizedModel {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int BLOCK = 128;

  /** The numbers from 0 up to 448; a number's place is its bits. */
  private static final float[] NUMBERS = new float[127];

  static {
    for (int bits = 0; bits < NUMBERS.length; bits++) {
      int exponent = bits >> 3;
      NUMBERS[bits] =
          exponent == 0 ? bits / 512f : (8 + bits % 8) / 8f * (float) Math.pow(2, exponent - 7);
    }
  }

  private final ObjectNode header = JSON.createObjectNode();
  private final ByteArrayOutputStream data = new ByteArrayOutputStream();

  private QuantizedModel() {}

  /** Writes the copy of a folder with one file of bf16 and float32 tensors. */
  static void write(Path model, Path copy) throws IOException {
    Files.createDirectory(copy);
    try (Stream<Path> files = Files.list(model)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    ObjectNode config = (ObjectNode) JSON.readTree(model.resolve("config.json").toFile());
    config
        .putObject("quantization_config")
        .put("quant_method", "fp8")
        .put("fmt", "e4m3")
        .put("activation_scheme", "dynamic")
        .putArray("weight_block_size")
        .add(BLOCK)
        .add(BLOCK);
    JSON.writeValue(copy.resolve("config.json").toFile(), config);
    new QuantizedModel().write(Files.readAllBytes(model.resolve("model.safetensors")), copy);
  }

  private void write(byte[] file, Path copy) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int length = (int) bytes.getLong();
    Map<String, JsonNode> tensors = new TreeMap<>();
    JSON.readTree(file, Long.BYTES, length)
        .fields()
        .forEachRemaining(e -> tensors.put(e.getKey(), e.getValue()));
    tensors.remove("__metadata__");
    for (Map.Entry<String, JsonNode> tensor : tensors.entrySet()) {
      JsonNode entry = tensor.getValue();
      int begin = Long.BYTES + length + entry.get("data_offsets").get(0).intValue();
      int end = Long.BYTES + length + entry.get("data_offsets").get(1).intValue();
      int[] shape = JSON.convertValue(entry.get("shape"), int[].class);
      if (tensor.getKey().contains("_proj")) {
        quantize(tensor.getKey(), bytes.slice(begin, end - begin), shape[0], shape[1]);
      } else {
        add(
            tensor.getKey(),
            entry.get("dtype").asText(),
            Arrays.copyOfRange(file, begin, end),
            shape);
      }
    }
    byte[] json = JSON.writeValueAsBytes(header);
    ByteBuffer out =
        ByteBuffer.allocate(Long.BYTES + json.length + data.size()).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(json.length).put(json).put(data.toByteArray());
    Files.write(copy.resolve("model.safetensors"), out.array());
  }

  private void add(String name, String type, byte[] elements, int... shape) throws IOException {
    ObjectNode tensor = header.putObject(name).put("dtype", type);
    tensor.set("shape", JSON.valueToTree(shape));
    tensor.putArray("data_offsets").add(data.size()).add(data.size() + elements.length);
    data.write(elements);
  }

  private void quantize(String name, ByteBuffer bf16, int rows, int columns) throws IOException {
    bf16.order(ByteOrder.LITTLE_ENDIAN);
    int height = (rows + BLOCK - 1) / BLOCK;
    int width = (columns + BLOCK - 1) / BLOCK;
    float[] scales = new float[height * width];
    for (int i = 0; i < rows * columns; i++) {
      int block = i / columns / BLOCK * width + i % columns / BLOCK;
      scales[block] = Math.max(scales[block], Math.abs(value(bf16, i)) / 448);
    }
    for (int block = 0; block < scales.length; block++) {
      scales[block] = scales[block] == 0 ? 1 : scales[block];
    }
    byte[] values = new byte[rows * columns];
    for (int i = 0; i < values.length; i++) {
      float quotient = value(bf16, i) / scales[i / columns / BLOCK * width + i % columns / BLOCK];
      values[i] = (byte) (nearest(Math.abs(quotient)) | (quotient < 0 ? 0x80 : 0));
    }
    ByteBuffer written =
        ByteBuffer.allocate(scales.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    written.asFloatBuffer().put(scales);
    add(name, "F8_E4M3", values, rows, columns);
    add(name + "_scale_inv", "F32", written.array(), height, width);
  }

  private static float value(ByteBuffer bf16, int index) {
    return Float.intBitsToFloat(bf16.getShort(index * Short.BYTES) << 16);
  }

  private static int nearest(float magnitude) {
    int place = Arrays.binarySearch(NUMBERS, Math.min(magnitude, NUMBERS[NUMBERS.length - 1]));
    if (place >= 0) {
      return place;
    }
    int above = -place - 1;
    float toBelow = magnitude - NUMBERS[above - 1];
    float toAbove = NUMBERS[above] - magnitude;
    return toBelow < toAbove || toBelow == toAbove && above % 2 == 1 ? above - 1 : above;
  }
}
