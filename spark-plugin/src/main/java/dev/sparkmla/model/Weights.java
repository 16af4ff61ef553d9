package dev.sparkmla.model;

import dev.sparkmla.compute.WeightSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The tensors of a model folder: model.safetensors, or the files that model.safetensors.index.json
 * names. Files are mapped, not copied, in windows of at most {@value #WINDOW} bytes (more where a
 * single tensor is larger), so that neither their size nor the number of their tensors matters.
 *
 * <p>Opening reads and checks every header and holds no file open afterwards. The operating system
 * keeps a mapping until neither this object nor any {@link Tensor} of it is reachable, so that a
 * tensor can never point to memory that is gone; closing drops this object's share of it.
 *
 * <p>Not thread-safe: it remembers what was read. The tensors are (see {@link Tensor}).
 */
public final class Weights implements ParameterSource, AutoCloseable {
  /** Bytes mapped at once. */
  static final long WINDOW = 1L << 30;

  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final Pattern FILE_NAME = Pattern.compile("[^/\\\\:\\p{Cntrl}]+\\.safetensors");
  private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d{1,9})\\..*");

  private final Path folder;
  private final Map<String, Stored> tensors = new HashMap<>();
  private final Set<String> unread = new HashSet<>();
  private boolean closed;

  private record Stored(Path file, Tensor tensor) {}

  private Weights(Path folder) {
    this.folder = folder;
  }

  /**
   * Maps a folder's tensors.
   *
   * @throws ModelFormatException when a file is missing, is not what its format says or does not
   *     agree with the index; nothing stays open or mapped then
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
    weights.unread.addAll(weights.tensors.keySet());
    return weights;
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
  private Set<String> map(Path file) {
    Set<String> names = new HashSet<>();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      List<SafetensorsHeader.Entry> entries = SafetensorsHeader.read(file, channel);
      ByteBuffer window = ByteBuffer.allocate(0);
      long windowBegin = 0;
      long windowEnd = 0;
      for (int i = 0; i < entries.size(); i++) {
        SafetensorsHeader.Entry entry = entries.get(i);
        if (entry.end() == entry.begin()) {
          window = ByteBuffer.allocate(0);
          windowBegin = entry.begin();
          windowEnd = entry.begin();
        } else if (entry.end() > windowEnd) {
          windowBegin = entry.begin();
          windowEnd = entry.end();
          for (int j = i + 1; j < entries.size(); j++) {
            if (entries.get(j).end() - windowBegin > WINDOW) {
              break;
            }
            windowEnd = entries.get(j).end();
          }
          MappedByteBuffer mapped =
              channel.map(MapMode.READ_ONLY, windowBegin, windowEnd - windowBegin);
          window = mapped;
        }
        ByteBuffer data =
            window
                .slice((int) (entry.begin() - windowBegin), (int) (entry.end() - entry.begin()))
                .order(ByteOrder.LITTLE_ENDIAN);
        Tensor tensor = new Tensor(entry.name(), entry.type(), entry.shape(), data);
        names.add(entry.name());
        tensors.put(entry.name(), new Stored(file, tensor));
      }
    } catch (NoSuchFileException e) {
      throw new ModelFormatException(file, "is missing; expected it by " + INDEX, e);
    } catch (IOException e) {
      throw new ModelFormatException(file, "cannot be read: " + e, e);
    }
    return names;
  }

  /** Whether there is a tensor of this name; does not count as reading it. */
  public boolean contains(String name) {
    refuseClosed();
    return tensors.containsKey(name);
  }

  /**
   * A tensor that must be there.
   *
   * @param shape the dimensions it must have
   * @throws ModelFormatException when it is missing or has another shape
   */
  public Tensor require(String name, int... shape) {
    return find(name, shape)
        .orElseThrow(
            () ->
                new ModelFormatException(
                    folder, "lacks tensor " + name + "; expected shape " + Arrays.toString(shape)));
  }

  @Override
  public WeightSource tensor(String name, int... shape) {
    Tensor tensor = require(name, shape);
    return new WeightSource.Stored(name, tensor.type(), tensor.data().duplicate());
  }

  /**
   * A tensor that may be there.
   *
   * @param shape the dimensions it must have if it is
   * @throws ModelFormatException when it has another shape
   */
  public Optional<Tensor> find(String name, int... shape) {
    refuseClosed();
    Stored stored = tensors.get(name);
    if (stored == null) {
      return Optional.empty();
    }
    if (!Arrays.equals(stored.tensor().shape(), shape)) {
      throw new ModelFormatException(
          stored.file(),
          "tensor "
              + name
              + " has shape "
              + Arrays.toString(stored.tensor().shape())
              + "; expected "
              + Arrays.toString(shape));
    }
    unread.remove(name);
    return Optional.of(stored.tensor());
  }

  /**
   * Refuses tensors nothing has asked for, since a model that ignores a part of its checkpoint is
   * the wrong model. What the published implementations leave aside does not count: stored rotary
   * frequencies, layers past the last one (multi-token prediction), an output projection beside a
   * tied embedding, and tensors without elements.
   *
   * @throws ModelFormatException naming the first such tensor in alphabetical order
   */
  @Override
  public void refuseUnread(ModelConfig config) {
    refuseClosed();
    unread.stream()
        .filter(name -> !leftAside(name, config))
        .sorted()
        .findFirst()
        .ifPresent(
            name -> {
              throw new ModelFormatException(
                  tensors.get(name).file(),
                  "tensor " + name + " is unknown to " + config.architecture());
            });
  }

  private boolean leftAside(String name, ModelConfig config) {
    Matcher layer = LAYER.matcher(name);
    return name.endsWith("rotary_emb.inv_freq")
        || (layer.matches() && Integer.parseInt(layer.group(1)) >= config.layers())
        || (config.tiedEmbedding() && name.equals("lm_head.weight"))
        || tensors.get(name).tensor().elements() == 0;
  }

  private void refuseClosed() {
    if (closed) {
      throw new IllegalStateException("the weights of " + folder + " are closed");
    }
  }

  /** Drops the tensors; those handed out stay readable. Closing again does nothing. */
  @Override
  public void close() {
    closed = true;
    tensors.clear();
    unread.clear();
  }
}
