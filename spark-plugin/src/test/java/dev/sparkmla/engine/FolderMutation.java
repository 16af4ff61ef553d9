package dev.sparkmla.engine;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ContainerNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Breaks one file of a model folder: its bytes, a value of its JSON, or a tag of its template. The
 * same seed breaks the same folder in the same way.
 */
final class FolderMutation {
  /** Writes halves of pairs too, which no UTF-8 holds as they are. */
  private static final ObjectMapper JSON =
      new ObjectMapper(JsonFactory.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build());

  /** The files that are broken, those with more to break more often. */
  private static final List<String> FILES =
      List.of(
          "config.json",
          "config.json",
          "tokenizer.json",
          "tokenizer.json",
          "tokenizer.json",
          "tokenizer_config.json",
          "generation_config.json",
          "chat_template.jinja",
          "chat_template.jinja",
          "model.safetensors",
          "model.safetensors");

  private static final List<String> VALUES =
      List.of(
          "null",
          "true",
          "false",
          "0",
          "1",
          "-1",
          "2",
          "3",
          "0.5",
          "-0.5",
          "1e400",
          "1e-400",
          "2147483647",
          "2147483648",
          "-2147483649",
          "9223372036854775807",
          "1e19",
          "99999",
          "\"\"",
          "\"x\"",
          "\"\\ud83d\"",
          "\"-1\"",
          "[]",
          "{}",
          "[null]",
          "[[]]",
          "[-1]",
          "{\"type\": \"x\"}",
          "\"BF16\"",
          "\"F8_E4M3\"",
          "\"Regex\"",
          "\"<|bos|>\"");

  private static final List<String> TEMPLATE_PARTS =
      List.of(
          "{%",
          "%}",
          "{{",
          "}}",
          "{#",
          "#}",
          "(",
          ")",
          "[",
          "]",
          "|",
          "'",
          "\"",
          "{% endfor %}",
          "{% for x in messages %}",
          "{% if x %}",
          "{% endif %}",
          "{% else %}",
          "{% raw %}",
          "{% set x = messages %}",
          "{{ x.y.z }}",
          "{{ messages[9] }}",
          "{{ messages | tojson }}",
          "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
          "{{ range(99999) | list }}",
          "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
          "{{ 'a' * 99999999 }}",
          "{{ 1 / 0 }}",
          "{{ none.x() }}",
          "{{ messages | sort }}",
          "{{ '%d' % 'x' }}",
          "{{ 'a' | indent(-1) }}",
          "{{ 9223372036854775807 * 9 }}",
          "\u0000",
          "\ud83d\ude42",
          "{{ raise_exception(1) }}",
          "{{ loop }}",
          "{% break %}",
          " not ",
          " is ");

  private final Random random;
  private final Path folder;

  private FolderMutation(Random random, Path folder) {
    this.random = random;
    this.folder = folder;
  }

  /** Breaks a folder and says how. */
  static String apply(long seed, Path folder) throws IOException {
    Random random = new Random(seed);
    String name = FILES.get(random.nextInt(FILES.size()));
    return name + ": " + new FolderMutation(random, folder).apply(name);
  }

  private String apply(String name) throws IOException {
    Path file = folder.resolve(name);
    if (random.nextInt(5) == 0) {
      return breakBytes(file);
    } else if (name.endsWith(".jinja")) {
      return breakTemplate(file);
    } else if (name.endsWith(".json")) {
      JsonNode root = JSON.readTree(Files.readAllBytes(file));
      String change = breakJson(root);
      Files.write(file, JSON.writeValueAsBytes(root));
      return change;
    }
    return breakHeader(file);
  }

  private String breakBytes(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    // The header and what is small matter; most of a file of weights is only numbers.
    int at = random.nextInt(Math.min(bytes.length, 4096));
    switch (random.nextInt(4)) {
      case 0 -> {
        Files.write(file, Arrays.copyOf(bytes, at));
        return "cut at byte " + at;
      }
      case 1 -> {
        bytes[at] ^= (byte) (1 << random.nextInt(8));
        Files.write(file, bytes);
        return "a bit of byte " + at + " turned";
      }
      case 2 -> {
        bytes[at] = (byte) random.nextInt(256);
        Files.write(file, bytes);
        return "byte " + at + " is " + bytes[at];
      }
      default -> {
        byte[] longer = Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(16));
        Files.write(file, longer);
        return longer.length - bytes.length + " zeros at the end";
      }
    }
  }

  private String breakTemplate(Path file) throws IOException {
    String text = Files.readString(file);
    int at = random.nextInt(text.length() + 1);
    int end = random.nextBoolean() ? at : Math.min(text.length(), at + random.nextInt(40));
    String part = TEMPLATE_PARTS.get(random.nextInt(TEMPLATE_PARTS.size()));
    Files.writeString(file, text.substring(0, at) + part + text.substring(end));
    return part + " for " + (end - at) + " characters at " + at;
  }

  private String breakHeader(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int length = (int) bytes.getLong(0);
    JsonNode header = JSON.readTree(bytes.array(), 8, length);
    String change = breakJson(header);
    byte[] changed = JSON.writeValueAsBytes(header);
    int data = bytes.capacity() - 8 - length;
    ByteBuffer broken =
        ByteBuffer.allocate(8 + changed.length + data).order(ByteOrder.LITTLE_ENDIAN);
    broken.putLong(changed.length).put(changed).put(bytes.array(), 8 + length, data);
    Files.write(file, broken.array());
    return change;
  }

  /** Replaces, removes or adds a value somewhere in a tree. */
  private String breakJson(JsonNode root) throws IOException {
    JsonNode owner = root;
    StringBuilder path = new StringBuilder();
    while (true) {
      List<String> keys = keys(owner);
      if (keys.isEmpty()) {
        return insert((ContainerNode<?>) owner, path.toString());
      }
      String key = keys.get(random.nextInt(keys.size()));
      JsonNode child = owner.isArray() ? owner.get(Integer.parseInt(key)) : owner.get(key);
      path.append('/').append(key);
      if (!child.isContainerNode() || random.nextInt(3) == 0) {
        return replace((ContainerNode<?>) owner, key, path.toString());
      }
      owner = child;
    }
  }

  private static List<String> keys(JsonNode node) {
    List<String> keys = new ArrayList<>();
    if (node.isObject()) {
      node.fieldNames().forEachRemaining(keys::add);
    } else {
      for (int i = 0; i < node.size(); i++) {
        keys.add("" + i);
      }
    }
    return keys;
  }

  private String replace(ContainerNode<?> owner, String key, String path) throws IOException {
    boolean remove = random.nextInt(6) == 0;
    String text = VALUES.get(random.nextInt(VALUES.size()));
    JsonNode value = JSON.readTree(text);
    if (owner instanceof ObjectNode object) {
      JsonNode before = remove ? object.remove(key) : object.replace(key, value);
      return path + (remove ? " removed, was " : " is " + text + ", was ") + shown(before);
    }
    ArrayNode list = (ArrayNode) owner;
    int index = Integer.parseInt(key);
    JsonNode before = remove ? list.remove(index) : list.set(index, value);
    return path + (remove ? " removed" : " is " + text) + ", was " + shown(before);
  }

  private String insert(ContainerNode<?> owner, String path) throws IOException {
    String text = VALUES.get(random.nextInt(VALUES.size()));
    if (owner instanceof ObjectNode object) {
      object.set("x", JSON.readTree(text));
    } else {
      ((ArrayNode) owner).add(JSON.readTree(text));
    }
    return path + " holds " + text;
  }

  private static String shown(JsonNode value) {
    String text = String.valueOf(value);
    return text.length() > 40 ? text.substring(0, 40) + "..." : text;
  }

  /** A copy of a folder's files, to be broken. */
  static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        Path copy = to.resolve(file.getFileName());
        Files.deleteIfExists(copy);
        Files.copy(file, copy);
      }
    }
  }
}
