import { registerLayers } from './layers/register_layers';

registerLayers();
