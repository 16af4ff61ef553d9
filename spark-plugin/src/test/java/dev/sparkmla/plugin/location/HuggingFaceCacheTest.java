package dev.sparkmla.plugin.location;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Snapshots laid out as huggingface_hub lays them out. */
class HuggingFaceCacheTest {
  private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  private static final String OLDER = "fedcba9876543210fedcba9876543210fedcba98";

  @TempDir Path home;
  private Path model;

  @BeforeEach
  void download() throws IOException {
    model = home.resolve("hub").resolve("models--org--name");
    Files.createDirectories(model.resolve("refs"));
    Files.createDirectories(model.resolve("blobs"));
    Files.writeString(model.resolve("refs").resolve("main"), COMMIT);
    for (String commit : List.of(COMMIT, OLDER)) {
      link(commit, "config.json", "{ \"of\": \"" + commit + "\"}");
      link(commit, "model.safetensors", "weights of " + commit);
      link(commit, "tokenizer.json", "{}");
    }
  }

  private void link(String commit, String name, String content) throws IOException {
    Path snapshot = Files.createDirectories(model.resolve("snapshots").resolve(commit));
    String blob = Integer.toHexString(content.hashCode());
    Files.writeString(model.resolve("blobs").resolve(blob), content);
    Files.createSymbolicLink(snapshot.resolve(name), Path.of("..", "..", "blobs", blob));
  }

  private Path find(String location) {
    return find(location, Map.of("HF_HOME", home.toString()));
  }

  private static Path find(String location, Map<String, String> environment) {
    return find(location, environment, FolderPart.ALL);
  }

  private static Path find(String location, Map<String, String> environment, FolderPart part) {
    Path unused = Path.of("unused");
    return new ModelLocator(unused, new Configuration(false), environment, part)
        .locate(ModelLocation.parse(location));
  }

  private Path snapshot(String commit) {
    return model.resolve("snapshots").resolve(commit);
  }

  @Test
  void anIdIsTheSnapshotOfMainAndARevisionThatOfIts() throws IOException {
    Files.createDirectories(model.resolve("refs").resolve("refs").resolve("pr"));
    Files.writeString(model.resolve("refs").resolve("v1.0"), OLDER + "\n");
    Files.writeString(model.resolve("refs").resolve("refs").resolve("pr").resolve("2"), OLDER);

    assertThat(find("org/name")).isEqualTo(snapshot(COMMIT));
    assertThat(find("org/name@main")).isEqualTo(snapshot(COMMIT));
    assertThat(find("org/name@v1.0")).isEqualTo(snapshot(OLDER));
    assertThat(find("org/name@refs/pr/2")).isEqualTo(snapshot(OLDER));
    assertThat(find("org/name@" + OLDER)).isEqualTo(snapshot(OLDER));
  }

  /** As a computer leaves it that lost its power. */
  @Test
  void aReferenceThatIsNoCommitIsRefused() throws IOException {
    Path reference = model.resolve("refs").resolve("main");
    Files.writeString(reference, "");
    assertThatThrownBy(() -> find("org/name"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("no snapshot of the revision main");
    Files.writeString(reference, "\0\0\0");
    assertThatThrownBy(() -> find("org/name"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("org/name cannot be read in the Hugging Face cache");
  }

  @Test
  void theCacheIsWhereTheEnvironmentSays() {
    Path hub = home.resolve("hub");
    String elsewhere = home.resolve("elsewhere").toString();
    assertThat(find("org/name", Map.of("HF_HUB_CACHE", hub.toString(), "HF_HOME", elsewhere)))
        .isEqualTo(snapshot(COMMIT));
    assertThatThrownBy(() -> find("org/none", Map.of("XDG_CACHE_HOME", elsewhere)))
        .hasMessageContaining("Hugging Face cache " + elsewhere + "/huggingface/hub:");
    assertThatThrownBy(() -> find("org/none", Map.of()))
        .hasMessageContaining(System.getProperty("user.home") + "/.cache/huggingface/hub");
    assertThatThrownBy(() -> find("org/none", Map.of("HF_HOME", "~/of-hf")))
        .hasMessageContaining(System.getProperty("user.home") + "/of-hf/hub");
  }

  @Test
  void aFolderOfThatNameComesFirst() {
    assertThat(find("src/test")).isEqualTo(Path.of("src", "test"));
  }

  @Test
  void aModelThatIsNotThereSaysWhatToDo() {
    assertThatThrownBy(() -> find("org/other@v2"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessage(
            "org/other@v2 is neither a folder here nor a model in the Hugging Face cache "
                + home.resolve("hub")
                + ": download it to every host that computes with 'hf download org/other --revision"
                + " v2', or set HF_HOME or HF_HUB_CACHE to the cache that has it");
  }

  @Test
  void aRevisionThatIsNotThereNamesThoseThatAre() throws IOException {
    assertThatThrownBy(() -> find("org/name@v9"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("no snapshot of the revision v9; it has the commits [")
        .hasMessageContainingAll(COMMIT, OLDER);
    Files.delete(model.resolve("refs").resolve("main"));
    assertThatThrownBy(() -> find("org/name")).hasMessageContaining("the revision main;");
  }

  @Test
  void aDownloadThatDidNotEndNamesWhatIsMissing() throws IOException {
    link(COMMIT, "model-1.safetensors", "one");
    Files.delete(snapshot(COMMIT).resolve("tokenizer.json"));
    Files.createSymbolicLink(
        snapshot(COMMIT).resolve("tokenizer.json"), Path.of("..", "..", "blobs", "gone"));
    link(
        COMMIT,
        "model.safetensors.index.json",
        "{\"weight_map\": {\"a\": \"model-1.safetensors\", \"b\": \"model-2.safetensors\"}}");

    assertThatThrownBy(() -> find("org/name"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining(
            snapshot(COMMIT) + " is not whole, model-2.safetensors, tokenizer.json are missing;")
        .hasMessageContaining("'hf download org/name'");
    assertThat(find("org/name@" + OLDER)).isEqualTo(snapshot(OLDER));
  }

  @Test
  void aSnapshotWithoutWeightsOrTokenizerSaysSo() throws IOException {
    Files.delete(snapshot(COMMIT).resolve("model.safetensors"));
    assertThatThrownBy(() -> find("org/name"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining(snapshot(COMMIT) + " is not whole, model.safetensors is missing;")
        .hasMessageContainingAll("'hf download org/name'", "save_pretrained");
    Map<String, String> environment = Map.of("HF_HOME", home.toString());
    assertThat(find("org/name", environment, FolderPart.TEXT)).isEqualTo(snapshot(COMMIT));

    Files.delete(snapshot(COMMIT).resolve("tokenizer.json"));
    assertThatThrownBy(() -> find("org/name", environment, FolderPart.TEXT))
        .hasMessageContaining("is not whole, tokenizer.json is missing;");
    link(COMMIT, "tiktoken.model", "ranks");
    assertThat(find("org/name", environment, FolderPart.TEXT)).isEqualTo(snapshot(COMMIT));
  }

  @Test
  void anIndexThatIsNoJsonSaysSo() throws IOException {
    link(COMMIT, "model.safetensors.index.json", "{\"weight_map\": {");
    assertThatThrownBy(() -> find("org/name"))
        .isInstanceOf(ModelUnavailableException.class)
        .hasMessageContaining("model.safetensors.index.json is not JSON: ")
        .hasMessageNotContaining("Source:");
  }
}
