package dev.sparkmla.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.policy.RouterPolicy;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * {@code bin/bench folder}: writes a model folder of {@link RandomParameters}, with the demo
 * model's tokenizer, so that what needs a folder is measured with a model of real size.
 */
public final class RandomFolder {
  private static final String USAGE =
      """
      usage: bin/bench folder NAME DIR [LAYERS]

        NAME     of the shapes: %s
        DIR      is made
        LAYERS   of which it has so many (default all)
      """;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final ModelConfig config;
  private final ParameterSource source = new RandomParameters(1);

  private RandomFolder(ModelConfig config) {
    this.config = config;
  }

  /** Exits with 0 when the folder is whole, 2 for bad arguments. */
  public static void main(String[] arguments) throws IOException {
    if (!areGood(arguments)) {
      System.err.printf(Locale.ROOT, USAGE, String.join(", ", ModelShapes.names().toList()));
      System.exit(2);
    }
    Path folder = Path.of(arguments[1]);
    Files.createDirectory(folder);
    ObjectNode config;
    try (InputStream file = resource("/shapes/" + arguments[0] + "/config.json")) {
      config = (ObjectNode) JSON.readTree(file);
    }
    if (arguments.length == 3) {
      cut(config, Integer.parseInt(arguments[2]));
    }
    JSON.writeValue(folder.resolve("config.json").toFile(), config);
    for (String name : List.of("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")) {
      try (InputStream file = resource("/demo-model/" + name)) {
        Files.copy(file, folder.resolve(name));
      }
    }
    long start = System.nanoTime();
    long bytes = writeWeights(folder);
    System.out.printf(
        Locale.ROOT,
        "%s: %.1f GB in %.1f s%n",
        folder,
        bytes / 1e9,
        (System.nanoTime() - start) / 1e9);
  }

  private static InputStream resource(String name) {
    return RandomFolder.class.getResourceAsStream(name);
  }

  private static boolean areGood(String[] arguments) {
    return (arguments.length == 2 || arguments.length == 3 && arguments[2].matches("[1-9]\\d{0,2}"))
        && ModelShapes.named(arguments[0]).isPresent();
  }

  private static void cut(ObjectNode config, int layers) {
    config.put("num_hidden_layers", layers);
    if (config.get("mlp_layer_types") instanceof ArrayNode types) {
      while (types.size() > layers) {
        types.remove(types.size() - 1);
      }
    }
  }

  /**
   * Writes the parameters that a folder's config.json asks for, bf16: a file for each layer and one
   * for the rest.
   *
   * @return bytes of all
   */
  static long writeWeights(Path folder) throws IOException {
    RandomFolder model = new RandomFolder(ModelConfig.read(folder));
    int layers = model.config.layers();
    ObjectNode index = JSON.createObjectNode();
    ObjectNode files = index.putObject("weight_map");
    List<List<Tensor>> tensors =
        Stream.concat(IntStream.range(0, layers).mapToObj(model::layer), Stream.of(model.rest()))
            .toList();
    for (int file = 0; file <= layers; file++) {
      for (Tensor tensor : tensors.get(file)) {
        files.put(tensor.name(), name(file));
      }
    }
    JSON.writeValue(folder.resolve("model.safetensors.index.json").toFile(), index);
    return IntStream.rangeClosed(0, layers)
        .parallel()
        .mapToLong(file -> write(folder.resolve(name(file)), tensors.get(file)))
        .sum();
  }

  private static String name(int file) {
    return String.format(Locale.ROOT, "model-%05d.safetensors", file + 1);
  }

  private static long write(Path file, List<Tensor> tensors) {
    ObjectNode header = JSON.createObjectNode();
    long bytes = 0;
    for (Tensor tensor : tensors) {
      ObjectNode entry = header.putObject(tensor.name()).put("dtype", tensor.type().name());
      entry.set("shape", JSON.valueToTree(tensor.shape()));
      entry.putArray("data_offsets").add(bytes).add(bytes + tensor.bytes());
      bytes += tensor.bytes();
    }
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      byte[] json = JSON.writeValueAsBytes(header);
      ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      write(channel, length.putLong(json.length).flip());
      write(channel, ByteBuffer.wrap(json));
      for (Tensor tensor : tensors) {
        for (ByteBuffer window : tensor.slices(0, tensor.bytes())) {
          write(channel, window.duplicate());
        }
      }
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private Tensor matrix(String name, int rows, int columns) {
    return source.matrix(name + ".weight", rows, columns).values();
  }

  private Tensor gain(String name, int size) {
    return source.vector(name + ".weight", size);
  }

  private List<Tensor> rest() {
    int hidden = config.hiddenSize();
    return List.of(
        matrix("model.embed_tokens", config.vocabularySize(), hidden),
        gain("model.norm", hidden),
        matrix("lm_head", config.vocabularySize(), hidden));
  }

  private List<Tensor> layer(int layer) {
    String prefix = "model.layers." + layer + ".";
    List<Tensor> tensors = new ArrayList<>(attention(prefix + "self_attn."));
    tensors.add(gain(prefix + "input_layernorm", config.hiddenSize()));
    tensors.add(gain(prefix + "post_attention_layernorm", config.hiddenSize()));
    if (config.isSparse(layer)) {
      tensors.addAll(experts(prefix + "mlp.", config.experts().orElseThrow()));
    } else {
      tensors.addAll(gated(prefix + "mlp.", config.intermediateSize()));
    }
    return tensors;
  }

  private List<Tensor> attention(String prefix) {
    int hidden = config.hiddenSize();
    int latent = config.cacheShape().latent();
    int rope = config.cacheShape().rope();
    int queries = config.heads() * (config.nopeSize() + rope);
    List<Tensor> tensors = new ArrayList<>();
    if (config.queryRank().isPresent()) {
      int rank = config.queryRank().getAsInt();
      tensors.add(matrix(prefix + "q_a_proj", rank, hidden));
      tensors.add(gain(prefix + "q_a_layernorm", rank));
      tensors.add(matrix(prefix + "q_b_proj", queries, rank));
    } else {
      tensors.add(matrix(prefix + "q_proj", queries, hidden));
    }
    int expanded = config.heads() * (config.nopeSize() + config.valueSize());
    tensors.add(matrix(prefix + "kv_a_proj_with_mqa", latent + rope, hidden));
    tensors.add(gain(prefix + "kv_a_layernorm", latent));
    tensors.add(matrix(prefix + "kv_b_proj", expanded, latent));
    tensors.add(matrix(prefix + "o_proj", hidden, config.heads() * config.valueSize()));
    return tensors;
  }

  private List<Tensor> experts(String prefix, ModelConfig.Experts experts) {
    RouterPolicy router = experts.router();
    List<Tensor> tensors = new ArrayList<>();
    tensors.add(matrix(prefix + "gate", router.experts(), config.hiddenSize()));
    if (router.method() == RouterPolicy.Method.SIGMOID_BIASED) {
      tensors.add(source.vector(prefix + "gate.e_score_correction_bias", router.experts()));
    }
    for (int expert = 0; expert < router.experts(); expert++) {
      tensors.addAll(gated(prefix + "experts." + expert + ".", experts.intermediateSize()));
    }
    if (experts.shared() > 0) {
      tensors.addAll(
          gated(prefix + "shared_experts.", experts.shared() * experts.intermediateSize()));
    }
    return tensors;
  }

  private List<Tensor> gated(String prefix, int width) {
    int hidden = config.hiddenSize();
    return List.of(
        matrix(prefix + "gate_proj", width, hidden),
        matrix(prefix + "up_proj", width, hidden),
        matrix(prefix + "down_proj", hidden, width));
  }
}
