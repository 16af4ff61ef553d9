package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.WeightFormat;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.StringJoiner;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class WeightsTest {
  private static final String TWO =
      "{\"__metadata__\":{\"format\":\"pt\"},"
          + "\"a\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
          + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[12,20]}}";

  @TempDir private Path folder;

  @Test
  void readsTensorsWhereTheyAre() throws IOException {
    write("model.safetensors", TWO, 20);

    try (Weights weights = Weights.open(folder)) {
      Tensor a = weights.matrix("a", 2, 3).values();
      Tensor b = weights.vector("b", 2);

      assertThat(a.type()).isEqualTo(DataType.BF16);
      assertThat(a.elements()).isEqualTo(6);
      assertThat(bytes(a).isReadOnly()).isTrue();
      assertThat(bytes(a).getShort(0)).isEqualTo((short) 0x0100);
      assertThat(bytes(b).getInt(4)).isEqualTo(0x13121110);
    }
  }

  /** All bytes of a tensor that lies in one window. */
  private static ByteBuffer bytes(Tensor tensor) {
    List<ByteBuffer> slices = tensor.slices(0, tensor.bytes());
    assertThat(slices).hasSize(1);
    return slices.get(0);
  }

  @Test
  void tensorsOutliveTheWeightsTheyCameFrom() throws IOException {
    write("model.safetensors", TWO, 20);
    Weights weights = Weights.open(folder);
    Tensor b = weights.vector("b", 2);
    weights.close();
    weights.close();

    assertThat(bytes(b).get(7)).isEqualTo((byte) 19);
    assertThatThrownBy(() -> weights.vector("b", 2)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void namesTheTensorThatIsMissing() throws IOException {
    write("model.safetensors", TWO, 20);

    try (Weights weights = Weights.open(folder)) {
      assertThatThrownBy(() -> weights.matrix("c", 4, 5))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("lacks tensor c")
          .hasMessageContaining("[4, 5]");
    }
  }

  @Test
  void namesTheTensorOfAnotherShape() throws IOException {
    write("model.safetensors", TWO, 20);

    try (Weights weights = Weights.open(folder)) {
      assertThatThrownBy(() -> weights.matrix("a", 3, 2))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("model.safetensors")
          .hasMessageContaining("tensor a has shape [2, 3]; expected [3, 2]");
    }
  }

  @Test
  void refusesTensorsNobodyReadsButThoseThatAreLeftAside() throws IOException {
    ModelConfig config = ModelConfig.read(Path.of("src", "test", "golden", "youtu"));
    write(
        "model.safetensors",
        "{"
            + entry("model.layers.0.self_attn.rotary_emb.inv_freq", 0, 2)
            + ","
            + entry("model.layers.2.eh_proj.weight", 2, 4)
            + ","
            + entry("lm_head.weight", 4, 6)
            + ",\"none\":{\"dtype\":\"F16\",\"shape\":[0,9],\"data_offsets\":[6,6]},"
            + entry("model.layers.1.mlp.extra", 6, 8)
            + "}",
        8);

    try (Weights weights = Weights.open(folder)) {
      assertThatThrownBy(() -> weights.refuseUnread(config))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("model.safetensors")
          .hasMessageContaining("model.layers.1.mlp.extra");
      weights.vector("model.layers.1.mlp.extra", 1);
      weights.refuseUnread(config);
    }
  }

  @Test
  void leavesAsideWhatIsBesideATextModel() throws IOException {
    ModelConfig config = ModelConfig.read(Path.of("src", "test", "golden", "kimi-vl"));
    write(
        "model.safetensors",
        "{"
            + entry("vision_tower.encoder.weight", 0, 2)
            + ","
            + entry("multi_modal_projector.linear_1.weight", 2, 4)
            + ","
            + entry("language_model.model.layers.2.eh_proj.weight", 4, 6)
            + ","
            + entry("language_model.model.layers.1.mlp.extra", 6, 8)
            + ","
            + entry("model.norm.weight", 8, 10)
            + "}",
        10);

    try (Weights weights = Weights.open(folder)) {
      weights.vector("language_model.model.layers.1.mlp.extra", 1);
      assertThatThrownBy(() -> weights.refuseUnread(config))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("tensor model.norm.weight is unknown to KimiVL");
      weights.vector("model.norm.weight", 1);
      weights.refuseUnread(config);
    }
  }

  @Test
  void takesAnExpertsMatricesFromATensorOfAllExperts() throws IOException {
    ModelConfig config = ModelConfig.read(Path.of("src", "test", "golden", "mistral-small-4"));
    write(
        "model.safetensors",
        "{"
            + entry("x.experts.gate_up_proj", "BF16", "[3,4,5]", 0, 120)
            + ","
            + entry("x.experts.down_proj", "BF16", "[3,5,2]", 120, 180)
            + "}",
        180);

    try (Weights weights = Weights.open(folder)) {
      Tensor gate = weights.matrix("x.experts.1.gate_proj.weight", 2, 5).values();
      Tensor up = weights.matrix("x.experts.1.up_proj.weight", 2, 5).values();
      Tensor down = weights.matrix("x.experts.2.down_proj.weight", 5, 2).values();

      assertThat(bytes(gate).get(0)).isEqualTo((byte) 40);
      assertThat(bytes(up).get(0)).isEqualTo((byte) 60);
      assertThat(bytes(down).get(0)).isEqualTo((byte) 160);
      assertThat(bytes(down).capacity()).isEqualTo(20);
      assertThatThrownBy(() -> weights.matrix("x.experts.3.up_proj.weight", 2, 5))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("expected more than 3 experts of [4, 5]");
      assertThatThrownBy(() -> weights.matrix("x.experts.1.down_proj.weight", 2, 5))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("tensor x.experts.down_proj has shape [3, 5, 2]");
      assertThatThrownBy(() -> weights.refuseUnread(config))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("expected 8 experts");
    }
  }

  @Test
  void anExpertsMatrixInEightBitsHasTheScaleOfItsExpert() throws IOException {
    write(
        "model.safetensors",
        "{"
            + entry("x.experts.gate_up_proj", "F8_E4M3", "[3,4,5]", 0, 60)
            + ","
            + entry("x.experts.gate_up_proj_scale_inv", "BF16", "[3,1,1]", 60, 66)
            + "}",
        66);

    try (Weights weights = Weights.open(folder)) {
      MatrixSource up = weights.matrix("x.experts.1.up_proj.weight", 2, 5);
      Tensor scales = up.scales().orElseThrow();

      assertThat(up.format()).isEqualTo(WeightFormat.FLOAT8_ROWS);
      assertThat(bytes(up.values()).get(0)).isEqualTo((byte) 30);
      assertThat(scales.shape()).containsExactly(2, 1);
      assertThat(element(scales, 0)).isEqualTo((short) 0x3f3e);
      assertThat(element(scales, 2)).isEqualTo((short) 0x3f3e);
    }
  }

  /** num_hidden_layers below what the tensors hold is another model's, whatever it answers. */
  @Test
  void refusesLayersPastTheLastOneThatAreNotForPrediction() throws IOException {
    ModelConfig config = ModelConfig.read(Path.of("src", "test", "golden", "youtu"));
    write("model.safetensors", "{" + entry("model.layers.2.mlp.extra", 0, 2) + "}", 2);

    try (Weights weights = Weights.open(folder)) {
      assertThatThrownBy(() -> weights.refuseUnread(config))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("model.safetensors")
          .hasMessageContaining("model.layers.2.mlp.extra is of a layer past the last one")
          .hasMessageContaining("num_hidden_layers is " + config.layers());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "F32, 0x7FC00000",
    "F32, 0xFF800000",
    "F32, 0x7F800001",
    "F16, 0x7E00",
    "F16, 0xFC00",
    "F16, 0x7C01",
    "BF16, 0x7FC0",
    "BF16, 0xFF80",
    "BF16, 0x7F81"
  })
  void namesTheFirstElementThatIsNotFinite(String type, String bits) throws IOException {
    int size = type.equals("F32") ? 4 : 2;
    long broken = Long.decode(bits);
    for (int place : new int[] {0, 1, 2, 3, 7, 8, 30}) {
      ByteBuffer data = ByteBuffer.allocate(31 * size).order(ByteOrder.LITTLE_ENDIAN);
      Random random = new Random(place);
      for (int i = 0; i < 31; i++) {
        // All that is finite, large values too.
        long finite = type.equals("F32") ? 0x7F7FFFFF : type.equals("F16") ? 0x7BFF : 0x7F7F;
        long element = i >= place && i % 5 == place % 5 ? broken : random.nextLong() & finite;
        if (size == 4) {
          data.putInt((int) element);
        } else {
          data.putShort((short) element);
        }
      }
      write(
          "model.safetensors",
          "{\"a\":{\"dtype\":\"%s\",\"shape\":[31],\"data_offsets\":[0,%d]}}"
              .formatted(type, 31 * size),
          data.array());

      try (Weights weights = Weights.open(folder)) {
        assertThatThrownBy(() -> weights.vector("a", 31))
            .isInstanceOf(ModelFormatException.class)
            .hasMessageContaining(
                "model.safetensors: tensor a holds NaN or infinity at element " + place);
      }
    }
  }

  /** A tensor of a header, of the bytes from {@code begin} on. */
  private record Entry(String name, DataType type, List<Integer> shape) {
    int bytes() {
      return shape.stream().reduce(type.bytes(), (a, b) -> a * b);
    }
  }

  /** Bytes 0x38, which are 1.0 in 8 bits and 4.4e-5 as float32. */
  private void writeTensors(Entry... entries) throws IOException {
    StringJoiner header = new StringJoiner(",", "{", "}");
    int at = 0;
    for (Entry entry : entries) {
      header.add(
          "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
              .formatted(entry.name, entry.type, entry.shape, at, at + entry.bytes()));
      at += entry.bytes();
    }
    byte[] data = new byte[at];
    Arrays.fill(data, (byte) 0x38);
    write("model.safetensors", header.toString(), data);
  }

  static Stream<Arguments> scales() {
    return Stream.of(
        Arguments.of("a_scale_inv", List.of(3, 2), WeightFormat.FLOAT8_BLOCKS, List.of(3, 2)),
        Arguments.of("a_scale_inv", List.of(), WeightFormat.FLOAT8_ROWS, List.of(300, 1)),
        Arguments.of("a_scale", List.of(3, 2), WeightFormat.FLOAT8_BLOCKS, List.of(3, 2)),
        Arguments.of("a_scale", List.of(300, 1), WeightFormat.FLOAT8_ROWS, List.of(300, 1)),
        Arguments.of("a_scale", List.of(1), WeightFormat.FLOAT8_ROWS, List.of(300, 1)),
        Arguments.of("a_scale", List.of(), WeightFormat.FLOAT8_ROWS, List.of(300, 1)));
  }

  @ParameterizedTest
  @MethodSource("scales")
  void aQuantizedMatrixComesWithItsScales(
      String name, List<Integer> shape, WeightFormat format, List<Integer> given)
      throws IOException {
    for (DataType type : List.of(DataType.F32, DataType.BF16)) {
      writeTensors(
          new Entry("a", DataType.F8_E4M3, List.of(300, 200)),
          new Entry(name, type, shape),
          new Entry("b.input_scale", DataType.F32, List.of()));

      try (Weights weights = Weights.open(folder)) {
        MatrixSource matrix = weights.matrix("a", 300, 200);
        assertThat(matrix.format()).isEqualTo(format);
        Tensor scales = matrix.scales().orElseThrow();
        assertThat(scales.shape()).isEqualTo(given);
        assertThat(scales.type()).isEqualTo(type);
        assertThat(scales.slices(scales.bytes() - 1, 1).get(0).get(0)).isEqualTo((byte) 0x38);
        // Two bytes for what a device holds as bf16.
        assertThat(weights.bytes())
            .isEqualTo(300 * 200 + 2L * shape.stream().reduce(1, (a, b) -> a * b) + 2);
        weights.refuseUnread(ModelConfig.read(GoldenCheckpoint.all().get(0).folder()));
      }
    }
  }

  static Stream<Arguments> wrongScales() {
    Entry values = new Entry("a", DataType.F8_E4M3, List.of(300, 200));
    return Stream.of(
        Arguments.of(new Entry[] {values}, "one of [_scale_inv, _scale]"),
        Arguments.of(
            new Entry[] {values, new Entry("a_scale_inv", DataType.F32, List.of(2, 2))},
            "a_scale_inv has shape [2, 2]; expected [3, 2]"),
        Arguments.of(
            new Entry[] {values, new Entry("a_scale", DataType.F32, List.of(300, 2))},
            "a_scale has shape [300, 2]; expected [300, 1]"),
        Arguments.of(
            new Entry[] {values, new Entry("a_scale_inv", DataType.F8_E4M3, List.of(3, 2))},
            "expected F32, F16 or BF16"));
  }

  @ParameterizedTest
  @MethodSource("wrongScales")
  void scalesThatDoNotFitAreRefused(Entry[] entries, String message) throws IOException {
    writeTensors(entries);

    try (Weights weights = Weights.open(folder)) {
      assertThatThrownBy(() -> weights.matrix("a", 300, 200))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("model.safetensors")
          .hasMessageContaining(message);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -0f, -1, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void aScaleThatIsNoneIsNamed(float broken) throws IOException {
    for (int place : new int[] {0, 299}) {
      ByteBuffer data = ByteBuffer.allocate(300 + 300 * 4).order(ByteOrder.LITTLE_ENDIAN);
      for (int row = 0; row < 300; row++) {
        data.putFloat(300 + 4 * row, row == place ? broken : Float.MIN_VALUE);
      }
      write(
          "model.safetensors",
          "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[300,1],\"data_offsets\":[0,300]},"
              + "\"a_scale\":{\"dtype\":\"F32\",\"shape\":[300,1],\"data_offsets\":[300,1500]}}",
          data.array());

      try (Weights weights = Weights.open(folder)) {
        assertThatThrownBy(() -> weights.matrix("a", 300, 1))
            .isInstanceOf(ModelFormatException.class)
            .hasMessageContaining(
                "model.safetensors: tensor a_scale holds the scale "
                    + broken
                    + " at element "
                    + place
                    + "; expected finite numbers above 0");
      }
    }
  }

  @Test
  void aVectorOfEightBitsIsRefused() throws IOException {
    writeTensors(new Entry("a", DataType.F8_E4M3, List.of(16)));

    try (Weights weights = Weights.open(folder)) {
      assertThatThrownBy(() -> weights.vector("a", 16))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("F8_E4M3[16] is a vector");
    }
  }

  @Test
  void namesTheFirstElementOfEightBitsThatIsNotANumber() throws IOException {
    for (int place : new int[] {0, 1, 7, 8, 30}) {
      for (int broken : new int[] {0x7f, 0xff}) {
        byte[] data = new byte[31 + 4];
        for (int i = 0; i < 31; i++) {
          // The largest numbers too.
          data[i] = (byte) (i % 2 == 0 ? 0x7e : 0xfe);
        }
        data[place] = (byte) broken;
        write(
            "model.safetensors",
            "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1,31],\"data_offsets\":[0,31]},"
                + "\"a_scale\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[31,35]}}",
            data);

        try (Weights weights = Weights.open(folder)) {
          assertThatThrownBy(() -> weights.matrix("a", 1, 31))
              .isInstanceOf(ModelFormatException.class)
              .hasMessageContaining("tensor a holds NaN or infinity at element " + place);
        }
      }
    }
  }

  private static String entry(String name, int begin, int end) {
    return "\""
        + name
        + "\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":["
        + begin
        + ","
        + end
        + "]}";
  }

  private static String tensor(String type, String shape, String offsets) {
    return "{\"a\":{\"dtype\":"
        + type
        + ",\"shape\":"
        + shape
        + ",\"data_offsets\":"
        + offsets
        + "}}";
  }

  /** Headers over 16 bytes of data, and what the refusal must name. */
  static Stream<Arguments> hostileHeaders() {
    return Stream.of(
        Arguments.of("", "header"),
        Arguments.of("  ", "header"),
        Arguments.of("[]", "header"),
        Arguments.of("{", "header"),
        Arguments.of("{}", "last tensor"),
        Arguments.of("{\"a\":7}", "tensor a"),
        Arguments.of("{\"a\":{}}", "tensor a"),
        Arguments.of("{\"__metadata__\":7}", "__metadata__"),
        Arguments.of("{\"__metadata__\":{\"x\":{}}}", "__metadata__"),
        Arguments.of(tensor("\"F32\"", "[4]", "[0,16]") + "x", "header"),
        Arguments.of(tensor("\"F8_E5M2\"", "[16]", "[0,16]"), "F8_E5M2"),
        Arguments.of(tensor("7", "[16]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("null", "[4]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[3]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "4", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[-4]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[4.0]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[\"4\"]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[4294967300]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[99999999999999999999]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[2147483647,2147483647,2147483647]", "[0,16]"), "tensor a"),
        // 2^31 * 2^31 * 4 wraps to 0.
        Arguments.of(tensor("\"F32\"", "[1073741824,1073741824,4]", "[0,0]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[1,1,1,1,1,1,1,1,4]", "[0,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[4", "[0,16]"), ""),
        Arguments.of(tensor("\"F32\"", "[4]", "[0]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[4]", "[0,16,16]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[4]", "[16,0]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[4]", "[-16,0]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[4]", "[8,24]"), "tensor a"),
        Arguments.of(
            tensor("\"F32\"", "[4]", "[9223372036854775800,9223372036854775807]"), "tensor a"),
        Arguments.of(tensor("\"F32\"", "[3]", "[0,12]"), "last tensor"),
        Arguments.of(tensor("\"F32\"", "[3]", "[4,16]"), "tensor a"),
        Arguments.of(
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"x\":1}}",
            "tensor a"),
        // Overlap, a gap, the same name twice, the same key twice.
        Arguments.of("{" + entryF32("a", 0, 12) + "," + entryF32("b", 8, 16) + "}", "tensor b"),
        Arguments.of("{" + entryF32("a", 0, 16) + "," + entryF32("b", 0, 16) + "}", "tensor"),
        Arguments.of("{" + entryF32("a", 0, 4) + "," + entryF32("b", 8, 16) + "}", "tensor b"),
        Arguments.of("{" + entryF32("a", 0, 8) + "," + entryF32("a", 8, 16) + "}", "a"),
        Arguments.of(
            "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
            "dtype"),
        Arguments.of("[".repeat(100_000), "header"),
        Arguments.of("{\"a\":".repeat(100_000), ""));
  }

  private static String entryF32(String name, int begin, int end) {
    return "\""
        + name
        + "\":{\"dtype\":\"F32\",\"shape\":["
        + (end - begin) / 4
        + "],\"data_offsets\":["
        + begin
        + ","
        + end
        + "]}";
  }

  @ParameterizedTest
  @MethodSource("hostileHeaders")
  void refusesHostileHeaders(String header, String named) throws IOException {
    write("model.safetensors", header, 16);

    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("model.safetensors")
        .hasMessageContaining(named);
  }

  @ParameterizedTest
  @ValueSource(
      longs = {0, 1, 8, 1_000, 100_000_001, Integer.MAX_VALUE, Long.MAX_VALUE, -1, 1L << 63})
  void refusesImpossibleHeaderLengths(long length) throws IOException {
    ByteBuffer file = ByteBuffer.allocate(9).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(length);
    Files.write(folder.resolve("model.safetensors"), file.array());

    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("model.safetensors")
        .hasMessageContaining("header");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 7, 8, 60, 150})
  void refusesTruncatedFiles(int size) throws IOException {
    write("model.safetensors", TWO, 20);
    Path file = folder.resolve("model.safetensors");
    try (RandomAccessFile truncated = new RandomAccessFile(file.toFile(), "rw")) {
      truncated.setLength(size);
    }

    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("model.safetensors");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void refusesOrReadsButNeverFailsOtherwiseOnDamagedHeaders(int seed) throws IOException {
    Random random = new Random(seed);
    for (int i = 0; i < 200; i++) {
      byte[] header = TWO.getBytes(StandardCharsets.UTF_8);
      for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
        header[random.nextInt(header.length)] = (byte) random.nextInt(256);
      }
      write("model.safetensors", header, 20);
      try (Weights weights = Weights.open(folder)) {
        assertThatThrownBy(() -> weights.vector("no such tensor", 1)).hasMessageContaining("lacks");
      } catch (ModelFormatException e) {
        assertThat(e).hasMessageContaining("model.safetensors");
      }
    }
  }

  /** Sparse: the file system stores the bytes that are written alone. */
  private void writeSparse(String header, Map<Long, byte[]> dataByOffset, long dataSize)
      throws IOException {
    write("model.safetensors", header, 0);
    try (RandomAccessFile file =
        new RandomAccessFile(folder.resolve("model.safetensors").toFile(), "rw")) {
      long begin = file.length();
      file.setLength(begin + dataSize);
      for (Map.Entry<Long, byte[]> data : dataByOffset.entrySet()) {
        file.seek(begin + data.getKey());
        file.write(data.getValue());
      }
    }
  }

  private static String entry(String name, String type, String shape, long begin, long end) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
        .formatted(name, type, shape, begin, end);
  }

  @Test
  void mapsFilesPastTwoGigabytes() throws IOException {
    long size = 3L << 30;
    writeSparse(
        "{"
            + entry("a", "F32", "[" + size / 8 + "]", 0, size / 2)
            + ","
            + entry("b", "F32", "[" + (size / 8 - 1) + "]", size / 2, size - 4)
            + ","
            + entry("c", "F32", "[1]", size - 4, size)
            + "}",
        Map.of(size / 2 - 4, new byte[] {5, 6, 7, 8}, size - 4, new byte[] {1, 2, 3, 4}),
        size);

    try (Weights weights = Weights.open(folder)) {
      Tensor a = weights.vector("a", (int) (size / 8));
      assertThat(a.slices(a.bytes() - 4, 4).get(0).getInt(0)).isEqualTo(0x08070605);
      assertThat(bytes(weights.vector("c", 1)).getInt(0)).isEqualTo(0x04030201);
    }
  }

  /**
   * A tensor past what one buffer holds is read in slices of whole elements, whose places are
   * counted in long.
   */
  @Test
  void readsATensorPastTwoGigabytes() throws IOException {
    int rows = 70_000;
    int columns = 1 << 14;
    long size = 2L * rows * columns;
    writeSparse(
        "{" + entry("large", "BF16", "[" + rows + "," + columns + "]", 0, size) + "}",
        Map.of(
            0L,
            new byte[] {1, 2},
            MappedBytes.WINDOW - 2,
            new byte[] {3, 4, 5, 6},
            2 * MappedBytes.WINDOW - 2,
            new byte[] {7, 8, 9, 10},
            size - 2,
            new byte[] {11, 12}),
        size);
    assertThat(size).isGreaterThan(1L << 31);

    try (Weights weights = Weights.open(folder)) {
      Tensor large = weights.matrix("large", rows, columns).values();
      assertThat(element(large, 0)).isEqualTo((short) 0x0201);
      assertThat(element(large, MappedBytes.WINDOW - 2)).isEqualTo((short) 0x0403);
      assertThat(element(large, MappedBytes.WINDOW)).isEqualTo((short) 0x0605);
      assertThat(element(large, 2 * MappedBytes.WINDOW)).isEqualTo((short) 0x0a09);
      assertThat(element(large, size - 2)).isEqualTo((short) 0x0c0b);
    }
  }

  private static short element(Tensor tensor, long at) {
    return tensor.slices(at, 2).get(0).getShort(0);
  }

  /** Nothing says that tensors lie at multiples of their elements' size. */
  @Test
  void noElementIsCutWhereTwoWindowsMeet() throws IOException {
    int count = (int) (MappedBytes.WINDOW / 4 + 10);
    long size = 2 + 4L * count;
    long straddling = MappedBytes.WINDOW - 2;
    writeSparse(
        "{"
            + entry("a", "F16", "[1]", 0, 2)
            + ","
            + entry("b", "F32", "[" + count + "]", 2, size)
            + "}",
        Map.of(
            straddling, new byte[] {1, 2, 3, 4, 5, 6, 7, 8}, size - 4, new byte[] {9, 10, 11, 12}),
        size);

    try (Weights weights = Weights.open(folder)) {
      Tensor b = weights.vector("b", count);
      List<ByteBuffer> slices = b.slices(straddling - 2 - 4, 16);
      assertThat(slices).hasSize(2);
      assertThat(slices.get(0).getInt(4)).isEqualTo(0x04030201);
      assertThat(slices.get(1).getInt(0)).isEqualTo(0x08070605);
      assertThat(b.slices(b.bytes() - 4, 4).get(0).getInt(0)).isEqualTo(0x0c0b0a09);
    }
  }

  @Test
  void mapsManyTensors() throws IOException {
    StringBuilder header = new StringBuilder("{");
    for (int i = 0; i < 90_000; i++) {
      header.append(i == 0 ? "" : ",").append(entry("t" + i, 2 * i, 2 * i + 2));
    }
    write("model.safetensors", header.append("}").toString(), 180_000);

    try (Weights weights = Weights.open(folder)) {
      assertThat(bytes(weights.vector("t89999", 1)).get(0)).isEqualTo((byte) 179_998);
    }
  }

  @Test
  void readsTheFilesOfAnIndex() throws IOException {
    write("one.safetensors", "{" + entry("a", 0, 2) + "}", 2);
    write("two.safetensors", "{" + entry("b", 0, 2) + "," + entry("c", 2, 4) + "}", 4);
    index("\"a\":\"one.safetensors\",\"b\":\"two.safetensors\",\"c\":\"two.safetensors\"");

    try (Weights weights = Weights.open(folder)) {
      assertThat(bytes(weights.vector("c", 1)).get(0)).isEqualTo((byte) 2);
      assertThat(bytes(weights.vector("a", 1)).get(1)).isEqualTo((byte) 1);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../outside.safetensors",
        "/etc/outside.safetensors",
        "sub/inside.safetensors",
        "..\\\\outside.safetensors",
        "pytorch_model.bin",
        ".safetensors",
        "a\\u0000.safetensors",
        ""
      })
  void refusesAnIndexThatNamesOtherThanFilesOfTheFolder(String name) throws IOException {
    index("\"a\":\"" + name + "\"");

    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("model.safetensors.index.json: weight_map.a is");
  }

  @Test
  void refusesAnIndexThatDoesNotAgreeWithItsFiles() throws IOException {
    write("one.safetensors", "{" + entry("a", 0, 2) + "," + entry("b", 2, 4) + "}", 4);

    index("\"a\":\"one.safetensors\"");
    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("one.safetensors: holds tensor b");
    index("\"a\":\"one.safetensors\",\"b\":\"one.safetensors\",\"c\":\"one.safetensors\"");
    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("one.safetensors: lacks tensor c");
    index("\"a\":\"one.safetensors\",\"b\":\"gone.safetensors\"");
    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("gone.safetensors: is missing");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "[]",
        "{\"weight_map\":[]}",
        "{\"weight_map\":{\"a\":7}}",
        "{\"weight_map\":{\"a\":\"x.safetensors\",\"a\":\"y.safetensors\"}}"
      })
  void refusesABrokenIndex(String content) throws IOException {
    Files.writeString(folder.resolve("model.safetensors.index.json"), content);

    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("model.safetensors.index.json");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void holdsNoFileOpenWhetherItWasReadOrRefused() throws IOException {
    write("one.safetensors", "{" + entry("a", 0, 2) + "}", 2);
    write("two.safetensors", "{}", 2);
    index("\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"");
    assertThatThrownBy(() -> Weights.open(folder)).isInstanceOf(ModelFormatException.class);
    assertThat(openFiles()).isEmpty();

    index("\"a\":\"one.safetensors\"");
    try (Weights weights = Weights.open(folder)) {
      assertThat(weights.vector("a", 1).elements()).isEqualTo(1);
      assertThat(openFiles()).isEmpty();
    }
  }

  /** The files of the folder that this process holds open. */
  private List<String> openFiles() throws IOException {
    List<String> open = new ArrayList<>();
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      for (Path descriptor : descriptors.toList()) {
        if (Files.isSymbolicLink(descriptor)) {
          open.add(Files.readSymbolicLink(descriptor).toString());
        }
      }
    }
    open.removeIf(file -> !file.startsWith(folder.toString()));
    return open;
  }

  @Test
  void refusesAFolderWithoutWeights() {
    assertThatThrownBy(() -> Weights.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("has neither model.safetensors nor model.safetensors.index.json");
  }

  private void index(String weightMap) throws IOException {
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        "{\"metadata\":{\"total_size\":4},\"weight_map\":{" + weightMap + "}}");
  }

  private void write(String name, String header, int dataBytes) throws IOException {
    write(name, header.getBytes(StandardCharsets.UTF_8), dataBytes);
  }

  /** Writes a file whose data bytes count up from 0. */
  private void write(String name, String header, byte[] data) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer file =
        ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(folder.resolve(name), file.putLong(json.length).put(json).put(data).array());
  }

  private void write(String name, byte[] header, int dataBytes) throws IOException {
    ByteBuffer file =
        ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(header.length).put(header);
    for (int i = 0; i < dataBytes; i++) {
      file.put((byte) i);
    }
    Files.write(folder.resolve(name), file.array());
  }
}
