export { addLora, type LoraOptions, setActiveAdapter } from './add_lora';
export type { LoraAdapter, LoraConfig } from './lora_adapter';
export type { LoraTargets } from './lora_sites';
export type { PeftLoraConfig } from './peft_config';
export { encodeAdapter, loadAdapterFrom, type LoadAdapterOptions } from './peft_format';
