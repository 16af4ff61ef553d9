package dev.sparkmla.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.json.JsonProblem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * The header of a safetensors file (format: the huggingface/safetensors README): 8 bytes of
 * little-endian length, so many bytes of JSON, then the tensors' bytes without gap or overlap.
 * Everything is checked against the file's size before anything is allocated by it. Tensors may be
 * of any size and lie at any byte.
 */
final class SafetensorsHeader {
  /** The format's own limit. */
  static final int LARGEST_HEADER = 100_000_000;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          // Every name occurs once: a table of them would only cost.
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .build();

  /** A tensor, and its first byte, from the first after the header. */
  private record Placed(long begin, Tensor tensor) {
    long end() {
      return begin + tensor.bytes();
    }
  }

  private final Path file;
  private final long dataSize;
  private final MappedBytes data;

  private SafetensorsHeader(Path file, long dataSize, MappedBytes data) {
    this.file = file;
    this.dataSize = dataSize;
    this.data = data;
  }

  /**
   * Reads and checks the header.
   *
   * @return the tensors in the order of their bytes
   * @throws ModelFormatException when anything in it is not as the format says
   */
  static List<Tensor> read(Path file, FileChannel channel) throws IOException {
    long size = channel.size();
    if (size < 8) {
      throw new ModelFormatException(
          file, "has " + size + " bytes; expected the 8 of the header's length at least");
    }
    long length = readFully(file, channel, 8, 0).getLong();
    if (length < 2 || length > LARGEST_HEADER || length > size - 8) {
      throw new ModelFormatException(
          file,
          "says its header has "
              + Long.toUnsignedString(length)
              + " bytes; expected 2 to "
              + Math.min(LARGEST_HEADER, size - 8)
              + " in a file of "
              + size);
    }
    byte[] json = readFully(file, channel, (int) length, 8).array();
    long dataBegin = 8 + length;
    return new SafetensorsHeader(file, size - dataBegin, new MappedBytes(channel, dataBegin))
        .parse(json);
  }

  private static ByteBuffer readFully(Path file, FileChannel channel, int length, long position)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, position + buffer.position()) < 0) {
        throw new ModelFormatException(file, "ended at byte " + (position + buffer.position()));
      }
    }
    return buffer.flip();
  }

  private List<Tensor> parse(byte[] json) throws IOException {
    List<Placed> placed = new ArrayList<>();
    try (JsonParser parser = JSON.createParser(json)) {
      expect(parser.nextToken() == JsonToken.START_OBJECT, "the header", "a JSON object");
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        if (name.equals("__metadata__")) {
          skipMetadata(parser);
        } else {
          placed.add(parseTensor(name, parser));
        }
      }
      expect(parser.nextToken() == null, "the header", "nothing after its JSON object");
    } catch (JsonProcessingException e) {
      throw new ModelFormatException(
          file, "has a header that is not JSON: " + JsonProblem.of(e), e);
    }
    checkLayout(placed);
    return placed.stream().map(Placed::tensor).toList();
  }

  private void skipMetadata(JsonParser parser) throws IOException {
    boolean strings = parser.nextToken() == JsonToken.START_OBJECT;
    while (strings && parser.nextToken() == JsonToken.FIELD_NAME) {
      strings = parser.nextToken() == JsonToken.VALUE_STRING;
    }
    expect(strings, "__metadata__", "an object of strings");
  }

  private Placed parseTensor(String name, JsonParser parser) throws IOException {
    String tensor = "tensor " + name;
    expect(parser.nextToken() == JsonToken.START_OBJECT, tensor, "an object");
    DataType type = null;
    long[] shape = null;
    long[] offsets = null;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String key = parser.currentName();
      parser.nextToken();
      switch (key) {
        case "dtype" -> type = parseType(tensor, parser);
        case "shape" -> shape = parseNumbers(tensor + "'s shape", Integer.MAX_VALUE, parser);
        case "data_offsets" -> offsets = parseNumbers(tensor + "'s data_offsets", dataSize, parser);
        default -> expect(false, tensor, "dtype, shape and data_offsets, but found " + key);
      }
    }
    expect(type != null, tensor, "a dtype");
    expect(shape != null, tensor, "a shape");
    expect(
        offsets != null && offsets.length == 2 && offsets[0] <= offsets[1],
        tensor,
        "two data_offsets, the first not above the second");
    long bytes = type.bytes();
    List<Integer> dimensions = new ArrayList<>();
    for (int i = 0; i < shape.length; i++) {
      dimensions.add((int) shape[i]);
      // Dimensions are non-negative ints, so only the product can overflow.
      expect(
          shape[i] == 0 || bytes <= Long.MAX_VALUE / shape[i],
          tensor,
          "a size that fits 63 bits, but its shape is " + Arrays.toString(shape));
      bytes *= shape[i];
    }
    expect(
        bytes == offsets[1] - offsets[0],
        tensor,
        bytes
            + " bytes for "
            + type
            + dimensions
            + ", but its data_offsets are "
            + Arrays.toString(offsets));
    return new Placed(
        offsets[0],
        new Tensor(name, type, dimensions, data.region(offsets[0], offsets[1], type.bytes())));
  }

  private DataType parseType(String tensor, JsonParser parser) throws IOException {
    String found = parser.getText();
    for (DataType type : DataType.values()) {
      if (type.name().equals(found)) {
        return type;
      }
    }
    throw new ModelFormatException(
        file,
        tensor
            + " has dtype "
            + found
            + "; expected one of "
            + Arrays.toString(DataType.values())
            + " (convert the checkpoint)");
  }

  private long[] parseNumbers(String what, long most, JsonParser parser) throws IOException {
    expect(parser.currentToken() == JsonToken.START_ARRAY, what, "a list of integers");
    long[] numbers = new long[8];
    int count = 0;
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      boolean isLong =
          parser.currentToken() == JsonToken.VALUE_NUMBER_INT
              && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
      expect(
          isLong && parser.getLongValue() >= 0 && parser.getLongValue() <= most,
          what,
          "integers in 0 to " + most + ", but found " + parser.getText());
      expect(count < numbers.length, what, "at most " + numbers.length + " integers");
      numbers[count++] = parser.getLongValue();
    }
    return Arrays.copyOf(numbers, count);
  }

  private void checkLayout(List<Placed> placed) {
    placed.sort(Comparator.comparingLong(Placed::begin).thenComparingLong(Placed::end));
    long end = 0;
    for (Placed next : placed) {
      expect(
          next.begin() == end,
          "tensor " + next.tensor().name(),
          "to begin where the one before it ends, at byte "
              + end
              + " after the header, but it begins at "
              + next.begin());
      end = next.end();
    }
    expect(
        end == dataSize,
        "the last tensor",
        "to end with the file, at byte " + dataSize + " after the header, not " + end);
  }

  private void expect(boolean condition, String what, String expected) {
    if (!condition) {
      throw new ModelFormatException(file, what + ": expected " + expected);
    }
  }
}
