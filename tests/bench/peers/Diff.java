import com.dynatrace.hash4j.hashing.HashValue128;
import com.dynatrace.hash4j.hashing.Hashing;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams, one thread: the digest of each document against a store with a changelog, the changed documents forwarded. */
public class Diff implements Processor<byte[], byte[], byte[], byte[]> {
  private static Map<String, String> given;
  private static long assets;
  private static long seen; // one stream thread: no need to guard it
  private static long started;

  private KeyValueStore<byte[], byte[]> store;
  private ProcessorContext<byte[], byte[]> context;

  /** Arguments: --name value, as the Python peers', and --store memory|rocksdb, --guarantee, --commit-ms. */
  public static void main(String[] args) {
    given = new HashMap<>();
    for (int i = 0; i < args.length; i += 2) given.put(args[i].substring(2), args[i + 1]);
    assets = Long.parseLong(given.get("assets"));
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(Stores.keyValueStoreBuilder(
        given.get("store").equals("memory") ? Stores.inMemoryKeyValueStore("digests") : Stores.persistentKeyValueStore("digests"),
        Serdes.ByteArray(), Serdes.ByteArray()));
    builder.stream(given.get("source"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .process(Diff::new, "digests")
        .to(given.get("out"), Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    new KafkaStreams(builder.build(), settings()).start();
  }

  private static Properties settings() {
    Properties settings = new Properties();
    settings.put("application.id", given.get("id"));
    settings.put("bootstrap.servers", given.get("kafka"));
    settings.put("auto.offset.reset", "earliest");
    settings.put("num.stream.threads", "1");
    settings.put("state.dir", given.get("work"));
    settings.put("processing.guarantee", given.get("guarantee"));
    settings.put("commit.interval.ms", given.get("commit-ms"));
    settings.put("producer.linger.ms", "20");
    settings.put("producer.compression.type", "lz4");
    return settings;
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> context) {
    this.context = context;
    store = context.getStateStore("digests");
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    if (seen++ == 0) started = System.nanoTime();
    byte[] digest = digest(record.value());
    if (!Arrays.equals(store.get(record.key()), digest)) {
      context.forward(record);
      store.put(record.key(), digest);
    }
    if (seen == assets) end();
  }

  private static byte[] digest(byte[] document) {
    HashValue128 hash = Hashing.xxh3_128().hashBytesTo128Bits(document);
    return hash.toByteArray();
  }

  private static void end() {
    double seconds = (System.nanoTime() - started) / 1e9;
    System.out.printf("{\"assets_per_s\": %d, \"rss_mb\": %d}%n", Math.round(assets / seconds), peakRssMb());
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static long peakRssMb() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status")))
        if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
    } catch (java.io.IOException fault) {
      throw new java.io.UncheckedIOException(fault);
    }
    throw new IllegalStateException("no VmHWM in /proc/self/status");
  }
}
