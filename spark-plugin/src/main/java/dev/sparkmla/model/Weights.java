package dev.sparkmla.model;

import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.WeightFormat;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The parameters of a model folder: model.safetensors, or the files that
 * model.safetensors.index.json names. Files are mapped, not copied.
 *
 * <p>This is the one place that knows which tensors make a parameter. Opening reads and checks
 * every header and holds no file open afterwards. Tensors stay readable after closing, which drops
 * this object's share of the mappings (see {@link Tensor}).
 *
 * <p>Not thread-safe but for {@link #taken}: it remembers what was asked for.
 */
public final class Weights implements ParameterSource, AutoCloseable {
  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final Pattern FILE_NAME = Pattern.compile("[^/\\\\:\\p{Cntrl}]+\\.safetensors");
  private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d{1,9})\\..*");
  private static final String LAYERS = "model.layers.";

  /** What only a layer of multi-token prediction has. */
  private static final String PREDICTION = ".eh_proj.weight";

  /** How names of scales end, after those of their matrices. */
  private static final List<String> SCALES = List.of("_scale_inv", "_scale");

  /** Scales of activations, which are not used: every backend finds them from the activations. */
  private static final List<String> ACTIVATION_SCALES =
      List.of(".input_scale", ".activation_scale", "_proj_activation_scale");

  private final Path folder;

  /** The file of each tensor. */
  private final Map<String, SafetensorsFile> files = new HashMap<>();

  private final Set<String> unread = new HashSet<>();
  private final AtomicLong taken = new AtomicLong();
  private long size;
  private boolean closed;

  private Weights(Path folder) {
    this.folder = folder;
  }

  /**
   * Maps a folder's tensors.
   *
   * @throws ModelFormatException when a file is missing, is not what its format says or does not
   *     agree with the index; nothing stays open then
   */
  public static Weights open(Path folder) {
    Weights weights = new Weights(folder);
    // Where both are there the single file wins, as it does in transformers.
    if (Files.exists(folder.resolve(SINGLE))) {
      weights.map(folder.resolve(SINGLE));
    } else if (Files.exists(folder.resolve(INDEX))) {
      weights.mapIndexed(JsonFields.read(folder.resolve(INDEX)));
    } else {
      throw new ModelFormatException(folder, "has neither " + SINGLE + " nor " + INDEX);
    }
    weights.unread.addAll(weights.files.keySet());
    return weights;
  }

  /**
   * Whether a folder's tensors are all whole and of 16 or 32 bits, so that nothing is quantized.
   */
  static boolean areUnquantized(Path folder) {
    try (Weights weights = open(folder)) {
      return weights.files.values().stream()
          .flatMap(file -> file.tensors().values().stream())
          .noneMatch(tensor -> tensor.type() == DataType.F8_E4M3);
    } catch (ModelFormatException otherTypes) { // Such as the integers that hold 4-bit numbers.
      return false;
    }
  }

  private void mapIndexed(JsonFields index) {
    JsonFields files =
        index
            .object("weight_map")
            .orElseThrow(() -> index.wrong("weight_map", null, "file names by tensor"));
    Map<String, Set<String>> tensorsByFile = new TreeMap<>();
    for (Iterator<String> names = files.keys(); names.hasNext(); ) {
      String name = names.next();
      String file = files.string(name, "");
      if (!FILE_NAME.matcher(file).matches()) {
        throw files.wrong(name, file, "the name of a .safetensors file in the same folder");
      }
      tensorsByFile.computeIfAbsent(file, any -> new HashSet<>()).add(name);
    }
    tensorsByFile.forEach(
        (name, expected) -> {
          Path file = folder.resolve(name);
          Set<String> found = map(file);
          for (String tensor : expected) {
            if (!found.contains(tensor)) {
              throw new ModelFormatException(
                  file, "lacks tensor " + tensor + "; expected it there by " + INDEX);
            }
          }
          for (String tensor : found) {
            if (!expected.contains(tensor)) {
              throw new ModelFormatException(
                  file, "holds tensor " + tensor + "; not expected there by " + INDEX);
            }
          }
        });
  }

  /** Maps one file and returns the names of its tensors. */
  private Set<String> map(Path path) {
    SafetensorsFile file = SafetensorsFile.open(path);
    file.tensors()
        .forEach(
            (name, tensor) -> {
              files.put(name, file);
              size += tensor.bytes();
            });
    return file.tensors().keySet();
  }

  /**
   * {@inheritDoc}
   *
   * <p>What a matrix consists of is decided here alone, by the tensors that are there: 8 bits come
   * with the scales of their blocks or rows, or one for all: {@code x.weight_scale_inv} beside
   * {@code x.weight}, as DeepSeek-V3 is published, or {@code x.weight_scale}, as compressed-tensors
   * writes them.
   */
  @Override
  public MatrixSource matrix(String name, int rows, int columns) {
    Optional<PackedExpert> packed =
        PackedExpert.of(name, rows).filter(expert -> files.containsKey(expert.tensor()));
    if (packed.isPresent()) {
      return expert(packed.get(), rows, columns);
    }
    Tensor values = require(name, List.of(rows, columns));
    return values.type() == DataType.F8_E4M3 ? quantized(values) : MatrixSource.of(values);
  }

  /** A matrix of an expert where those of all experts are one tensor, with one scale for each. */
  private MatrixSource expert(PackedExpert expert, int rows, int columns) {
    SafetensorsFile file = files.get(expert.tensor());
    Tensor packed = file.tensors().get(expert.tensor());
    Tensor values = expert.take(file.path(), packed, rows, columns);
    taken.addAndGet(values.bytes());
    unread.remove(expert.tensor());
    NonFinite.refuse(file.path(), values);
    if (values.type() != DataType.F8_E4M3) {
      return MatrixSource.of(values);
    }
    Tensor scales = scales(scaleName(packed), List.of(packed.shape().get(0), 1, 1));
    Tensor scale =
        new Tensor(
            scales.name(),
            scales.type(),
            List.of(1),
            scales.slices((long) expert.expert() * scales.type().bytes(), scales.type().bytes()));
    return new MatrixSource(values, WeightFormat.FLOAT8_ROWS, Optional.of(repeated(scale, rows)));
  }

  /** The scales beside a tensor in 8 bits. */
  private String scaleName(Tensor values) {
    return SCALES.stream()
        .map(suffix -> values.name() + suffix)
        .filter(files::containsKey)
        .findFirst()
        .orElseThrow(
            () ->
                new ModelFormatException(
                    files.get(values.name()).path(),
                    values + " has no scales; expected a tensor of its name and one of " + SCALES));
  }

  private MatrixSource quantized(Tensor values) {
    int rows = values.shape().get(0);
    int columns = values.shape().get(1);
    List<Integer> ofBlocks = WeightFormat.FLOAT8_BLOCKS.scaleShape(rows, columns);
    List<Integer> ofRows = WeightFormat.FLOAT8_ROWS.scaleShape(rows, columns);
    String name = scaleName(values);
    List<Integer> found = files.get(name).tensors().get(name).shape();
    if (found.equals(ofBlocks)) {
      return new MatrixSource(
          values, WeightFormat.FLOAT8_BLOCKS, Optional.of(scales(name, ofBlocks)));
    }
    boolean ofAll = found.isEmpty() || found.equals(List.of(1));
    Tensor scales =
        ofAll
            ? repeated(scales(name, found), rows)
            : scales(name, name.endsWith(SCALES.get(0)) ? ofBlocks : ofRows);
    return new MatrixSource(values, WeightFormat.FLOAT8_ROWS, Optional.of(scales));
  }

  private Tensor scales(String name, List<Integer> shape) {
    Tensor scales = take(name, shape);
    WeightScales.check(files.get(name).path(), scales);
    return scales;
  }

  /** One element as a column of so many. */
  private static Tensor repeated(Tensor scale, int rows) {
    ByteBuffer one = scale.slices(0, scale.bytes()).get(0);
    ByteBuffer all = ByteBuffer.allocate(Math.multiplyExact(rows, one.capacity()));
    for (int row = 0; row < rows; row++) {
      all.put(one.duplicate());
    }
    return new Tensor(scale.name(), scale.type(), List.of(rows, 1), List.of(all.flip()));
  }

  @Override
  public Tensor vector(String name, int size) {
    Tensor values = require(name, List.of(size));
    if (values.type() == DataType.F8_E4M3) {
      throw new ModelFormatException(
          files.get(name).path(), values + " is a vector; expected F32, F16 or BF16");
    }
    return values;
  }

  @Override
  public long bytes() {
    return files.entrySet().stream()
        .map(entry -> entry.getValue().tensors().get(entry.getKey()))
        .mapToLong(tensor -> tensor.elements() * Math.min(2, tensor.type().bytes()))
        .sum();
  }

  /** Bytes of all tensors in the files. */
  public long size() {
    return size;
  }

  /** Bytes of the tensors that were asked for so far; any thread may ask. */
  public long taken() {
    return taken.get();
  }

  private Tensor require(String name, List<Integer> shape) {
    Tensor tensor = take(name, shape);
    NonFinite.refuse(files.get(name).path(), tensor);
    return tensor;
  }

  /** A tensor, whatever its elements are. */
  private Tensor take(String name, List<Integer> shape) {
    refuseClosed();
    SafetensorsFile file = files.get(name);
    if (file == null) {
      throw new ModelFormatException(folder, "lacks tensor " + name + "; expected shape " + shape);
    }
    Tensor tensor = file.tensors().get(name);
    if (!tensor.shape().equals(shape)) {
      throw new ModelFormatException(
          file.path(), "tensor " + name + " has shape " + tensor.shape() + "; expected " + shape);
    }
    unread.remove(name);
    taken.addAndGet(tensor.bytes());
    return tensor;
  }

  /**
   * Refuses tensors that nothing has asked for, since a model that ignores a part of its checkpoint
   * is the wrong model. What the published implementations leave aside does not count: stored
   * rotary frequencies, scales of activations, layers past the last one (multi-token prediction),
   * an output projection beside a tied embedding, the vision tower beside a text model, and tensors
   * without elements.
   *
   * @throws ModelFormatException naming the first such tensor in alphabetical order
   */
  @Override
  public void refuseUnread(ModelConfig config) {
    refuseClosed();
    config.experts().ifPresent(experts -> refuseOtherExperts(experts.router().experts()));
    unread.stream()
        .filter(name -> !leftAside(name, config))
        .sorted()
        .findFirst()
        .ifPresent(
            name -> {
              throw new ModelFormatException(
                  files.get(name).path(),
                  "tensor "
                      + name
                      + (layer(name, config) >= config.layers()
                          ? " is of a layer past the last one; config.json's num_hidden_layers is "
                              + config.layers()
                          : " is unknown to " + config.architecture()));
            });
  }

  /** What is taken of a tensor of all experts does not say how many it holds. */
  private void refuseOtherExperts(int count) {
    files.forEach(
        (name, file) -> {
          List<Integer> shape = file.tensors().get(name).shape();
          if (PackedExpert.isTensor(name) && shape.get(0) != count) {
            throw new ModelFormatException(
                file.path(),
                "tensor " + name + " has shape " + shape + "; expected " + count + " experts");
          }
        });
  }

  private boolean leftAside(String name, ModelConfig config) {
    String text = config.architecture().tensorPrefix();
    int layer = layer(name, config);
    return name.endsWith("rotary_emb.inv_freq")
        || ACTIVATION_SCALES.stream().anyMatch(name::endsWith)
        || config.architecture().besideText(name)
        || (layer >= config.layers() && files.containsKey(text + LAYERS + layer + PREDICTION))
        || (config.tiedEmbedding() && name.equals(text + "lm_head.weight"))
        || files.get(name).tensors().get(name).elements() == 0;
  }

  /** The number of the layer that a tensor belongs to, or -1. */
  private static int layer(String name, ModelConfig config) {
    String text = config.architecture().tensorPrefix();
    Matcher layer = LAYER.matcher(name);
    return name.startsWith(text) && layer.region(text.length(), name.length()).matches()
        ? Integer.parseInt(layer.group(1))
        : -1;
  }

  private void refuseClosed() {
    if (closed) {
      throw new IllegalStateException("the weights of " + folder + " are closed");
    }
  }

  /** Drops the tensors. Closing again does nothing. */
  @Override
  public void close() {
    closed = true;
    files.clear();
    unread.clear();
  }
}
